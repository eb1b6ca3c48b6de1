#!/usr/bin/env bash
# Installs libgw as packagers and hosts do, and builds hosts against what was installed, from outside: C99
# and C++17, shared and static, through pkg-config, with the optional libraries and without; then once more
# as a subproject of a host's meson build. Each host that was linked is run.
#     install_and_link.sh SOURCE_ROOT
set -euo pipefail
root=$(cd "$1" && pwd)
embed=$root/tests/embed
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
strict=(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wmissing-field-initializers -Werror)
version=$(sed -n "s/^project('libgw', 'c', version: '\([^']*\)'.*/\1/p" "$root/meson.build")

fail() {
    echo "install_and_link: $*" >&2
    exit 1
}

# libgw NAME OPTIONS...: builds it into $tmp/NAME/build, installs it into $tmp/NAME/image/opt/gw, where
# DESTDIR put it; pkg-config finds it from then on.
libgw() {
    local name=$1
    shift
    echo "== $name: $*"
    meson setup "$tmp/$name/build" "$root" --prefix=/opt/gw --libdir=lib --buildtype=release \
        -Dtests=false -Dexamples=false "$@" >"$tmp/log" || { cat "$tmp/log"; fail "$name: setup"; }
    DESTDIR=$tmp/$name/image meson install -C "$tmp/$name/build" >"$tmp/log" ||
        { cat "$tmp/log"; fail "$name: install"; }
    there=$tmp/$name/image/opt/gw
    export PKG_CONFIG_PATH=$there/lib/pkgconfig
    # Where it will be is not where it is: as pkg-config itself moves a prefix.
    packaged=(pkg-config "--define-variable=prefix=$there")
}

# What everybody gets: every header as it is in the sources, and nothing else there.
check_headers() {
    local header
    for header in "$root"/include/gw/*.h; do
        cmp "$header" "$there/include/gw/$(basename "$header")"
    done
    diff <(cd "$root/include" && find . -name '*.h' | sort) <(cd "$there/include" && find . -type f | sort)
    grep -qx "Version: $version" "$there/lib/pkgconfig/libgw.pc" || fail "libgw.pc has another version"
}

# host NAME: linked.c and linked.cpp with flags from pkg-config (OPTIONS: --static), run; $tmp/c and $tmp/cpp.
host() {
    local cflags libs compiler
    read -ra cflags < <("${packaged[@]}" --cflags libgw)
    read -ra libs < <("${packaged[@]}" --libs "$@" libgw)
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || continue
        $compiler -std=c99 "${strict[@]}" "${cflags[@]}" "$embed/linked.c" -o "$tmp/c" "${libs[@]}"
        "$tmp/c"
    done
    g++ -std=c++17 "${strict[@]}" "${cflags[@]}" "$embed/linked.cpp" -o "$tmp/cpp" "${libs[@]}"
    "$tmp/cpp"
}

# The features that a host says it has, with their libraries and not those of the others.
expect_features() {
    local said
    said=$("$tmp/c")
    case $1 in *h2*) [[ $said == *h2=* ]] ;; *) [[ $said != *h2=* ]] ;; esac || fail "$said: not $1"
    case $1 in *tls*) [[ $said == *tls=* ]] ;; *) [[ $said != *tls=* ]] ;; esac || fail "$said: not $1"
    case $1 in *yaml*) [[ $said == *yaml* ]] ;; *) [[ $said != *yaml* ]] ;; esac || fail "$said: not $1"
    case $1 in *uring*) [[ $said == *io_uring=* ]] ;; *) [[ $said != *io_uring=* ]] ;; esac ||
        fail "$said: not $1"
    case $1 in *uring*) ;; *) ! ldd "$tmp/c" | grep -F uring || fail "$1: liburing is needed" ;; esac
    case $1 in *h2*) ;; *) ! ldd "$tmp/c" | grep -F nghttp2 || fail "$1: nghttp2 is needed" ;; esac
    case $1 in *tls*) ;; *) ! ldd "$tmp/c" | grep -F wolfssl || fail "$1: wolfSSL is needed" ;; esac
    case $1 in *yaml*) ;; *) ! ldd "$tmp/c" | grep -F yaml || fail "$1: libyaml is needed" ;; esac
}

libgw both -Ddefault_library=both -Dh2=enabled -Dtls=enabled -Dyaml=enabled -During=enabled
(cd "$there" && find . ! -type d | sort)
check_headers
library=$there/lib/libgw.so.$version
readelf -d "$library" | grep -F 'Library soname: [libgw.so.0]' || fail "no such name of the library"
[ "$(readlink "$there/lib/libgw.so")" = libgw.so.0 ] || fail "libgw.so is no link to its name"
diff <(sort "$root/tests/abi/symbols.txt") \
    <(nm -D --defined-only "$library" | awk '{ print $3 }' | sort) || fail "other symbols are shown"
LD_LIBRARY_PATH=$there/lib host
ldd "$tmp/c" | grep -F libgw.so.0 || fail "it is not linked with the library"
readelf -d "$tmp/c" | grep -E 'NEEDED.*(nghttp2|yaml|uring|wolfssl)' && fail "what is private is linked with hosts"
LD_LIBRARY_PATH=$there/lib expect_features "h2 tls yaml uring"
rm "$there"/lib/libgw.so* # who asks for the archive gets it
host --static
! ldd "$tmp/c" | grep -F libgw || fail "it is linked with a library"
expect_features "h2 tls yaml uring"

libgw shared -Ddefault_library=shared -Dh2=disabled -Dtls=disabled -Dyaml=enabled -During=disabled
check_headers
[ ! -e "$there/lib/libgw.a" ] || fail "there is an archive"
LD_LIBRARY_PATH=$there/lib host
LD_LIBRARY_PATH=$there/lib expect_features "yaml"

libgw static -Ddefault_library=static -Dh2=enabled -Dtls=disabled -Dyaml=disabled -During=enabled
check_headers
[ -z "$(find "$there" -name '*.so*')" ] || fail "there is a library"
host # also for who does not know that it is an archive
expect_features "h2 uring"

libgw small -Ddefault_library=static -Dh2=disabled -Dtls=disabled -Dyaml=disabled -During=disabled
host --static
expect_features "neither"

# As a subproject, without any wrap file: the host's dependency('libgw') is found, whatever it is
# built as, and nothing of libgw's own tests and programs is built.
for kind in shared static; do
    echo "== subproject, $kind"
    host=$tmp/host-$kind
    mkdir -p "$host/subprojects"
    ln -s "$root" "$host/subprojects/libgw"
    cp "$embed/linked.c" "$embed/linked.cpp" "$host/"
    cat >"$host/meson.build" <<'END_OF_HOST'
project('host', 'c', 'cpp',
  default_options: ['c_std=c99', 'cpp_std=c++17', 'warning_level=3', 'werror=true'])
libgw = dependency('libgw', fallback: 'libgw',
  default_options: ['default_library=' + get_option('default_library')])
test('c', executable('in-c', 'linked.c', dependencies: libgw))
test('cpp', executable('in-cpp', 'linked.cpp', dependencies: libgw))
assert(libgw.version().version_compare('>=0.1'))
END_OF_HOST
    PKG_CONFIG_PATH='' meson setup "$host/build" "$host" -Ddefault_library=$kind \
        --force-fallback-for=libgw >"$tmp/log" || { cat "$tmp/log"; fail "subproject: setup"; }
    ninja -C "$host/build" >"$tmp/log" || { cat "$tmp/log"; fail "subproject: build"; }
    ! find "$host/build" -type f -executable -path '*subprojects*' ! -name '*.so*' | grep . ||
        fail "programs of libgw are built with the host"
    meson test -C "$host/build" --no-rebuild
done
echo "all of it links"
