#!/usr/bin/env bash
# Installs libgw into a folder of its own and builds hosts against what was installed: C99 and
# C++17, shared and static, through pkg-config; then once more as a meson subproject.
#     install_and_link.sh SOURCE_ROOT
set -euo pipefail
root=$(cd "$1" && pwd)
embed=$root/tests/embed
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
strict=(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)

meson setup "$tmp/build" "$root" --prefix="$tmp/prefix" --libdir=lib --buildtype=release \
    -Dtests=false
meson install -C "$tmp/build"
export PKG_CONFIG_PATH=$tmp/prefix/lib/pkgconfig
read -ra cflags < <(pkg-config --cflags libgw)
read -ra shared < <(pkg-config --libs libgw)
read -ra all < <(pkg-config --static --libs libgw)

echo "== what is installed"
(cd "$tmp/prefix" && find . ! -type d | sort)
for header in "$root"/include/gw/*.h; do
    cmp "$header" "$tmp/prefix/include/gw/$(basename "$header")"
done

echo "== shared"
gcc -std=c99 "${strict[@]}" "${cflags[@]}" "$embed/linked.c" -o "$tmp/c" "${shared[@]}"
g++ -std=c++17 "${strict[@]}" "${cflags[@]}" "$embed/linked.cpp" -o "$tmp/cpp" "${shared[@]}"
export LD_LIBRARY_PATH=$tmp/prefix/lib
"$tmp/c" && "$tmp/cpp"
ldd "$tmp/c" | grep -F libgw.so.0

echo "== static"
archive=()
for flag in "${all[@]}"; do
    [ "$flag" = -lgw ] && archive+=("$tmp/prefix/lib/libgw.a") || archive+=("$flag")
done
unset LD_LIBRARY_PATH
gcc -std=c99 "${strict[@]}" "${cflags[@]}" "$embed/linked.c" -o "$tmp/c-static" "${archive[@]}"
g++ -std=c++17 "${strict[@]}" "${cflags[@]}" "$embed/linked.cpp" -o "$tmp/cpp-static" \
    "${archive[@]}"
"$tmp/c-static" && "$tmp/cpp-static"
! ldd "$tmp/c-static" | grep -F libgw

echo "== subproject"
mkdir -p "$tmp/host/subprojects"
ln -s "$root" "$tmp/host/subprojects/libgw"
cp "$embed/linked.c" "$tmp/host/"
cat >"$tmp/host/meson.build" <<'END'
project('host', 'c', default_options: ['c_std=c11'])
executable('host', 'linked.c',
  dependencies: dependency('libgw', fallback: 'libgw',
    default_options: ['tests=false', 'examples=false']))
END
PKG_CONFIG_PATH='' meson setup "$tmp/host/build" "$tmp/host" --wrap-mode=forcefallback \
    --force-fallback-for=libgw
ninja -C "$tmp/host/build"
"$tmp/host/build/host"
echo "all of it links"
