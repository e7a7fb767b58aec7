#!/bin/sh
# Whether clang++ (or CXX) is here with the libraries of its sanitizers, which Debian has in a package of their own.
directory=$(mktemp -d)
trap 'rm -r "$directory"' EXIT
echo 'int main() {}' >"$directory/empty.cpp"
"${CXX:-clang++}" -fsanitize=address,undefined "$directory/empty.cpp" -o "$directory/empty" 2>/dev/null
