[ -e /usr/include/zlib.h ] && ls /usr/lib/*/pkgconfig/zlib.pc >/dev/null || {
    echo "zlib1g-dev is not installed"
    exit 1
}
