ls /lib/*/libz.so.1 >/dev/null 2>&1 || ls /usr/lib/*/libz.so.1 >/dev/null 2>&1 || {
    echo "libz.so.1 is not installed"
    exit 1
}
