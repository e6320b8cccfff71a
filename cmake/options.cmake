# What a build can be asked for, and the flags that every target shares.
option(KILN_TESTS "Build the tests" ON)
option(KILN_COMPILER "Build kiln-compiler (needs LLVM, Clang and LLD 22)" ON)
option(KILN_JIT "Build libkiln-jit, the engine for live code (needs LLVM 22)" ON)
set(KILN_SANITIZE "" CACHE STRING "Sanitizers for the host side: address,undefined or thread")
option(KILN_FUZZ "Link the fuzz targets with libFuzzer (needs Clang)" OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

# kiln_folder(NAME [SOURCES...]): one folder of src/ as an object library, sanitized where asked.
function(kiln_folder name)
  add_library(kiln_${name} OBJECT ${ARGN})
  target_include_directories(kiln_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  kiln_host_flags(kiln_${name})
endfunction()

# kiln_host_flags(TARGET): warnings and sanitizers for code of the host side.
function(kiln_host_flags target)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes
                         -Werror=incompatible-pointer-types -Werror=int-conversion)
  if(KILN_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${KILN_SANITIZE} -fno-omit-frame-pointer -g)
    target_link_options(${target} PUBLIC -fsanitize=${KILN_SANITIZE})
  endif()
endfunction()
