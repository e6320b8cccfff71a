# Libraries of the host side. They are linked statically where Debian ships archives, so that a host sees only Kiln's own
# symbols; src/compiler finds LLVM, Clang and LLD itself.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(CYAML REQUIRED IMPORTED_TARGET libcyaml)
pkg_check_modules(JSONC REQUIRED IMPORTED_TARGET json-c)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
find_program(PROTOC_C protoc-c REQUIRED)

# The archives of the libraries above. Debian's are position independent enough to stand in a shared library, but for libcyaml's.
set(KILN_STATIC_LIBRARIES PkgConfig::CYAML)
foreach(name sodium json-c protobuf-c)
  find_library(KILN_ARCHIVE_${name} lib${name}.a REQUIRED)
  list(APPEND KILN_STATIC_LIBRARIES ${KILN_ARCHIVE_${name}})
endforeach()
