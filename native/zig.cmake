# The toolchain of scripts/prebuild: zig's C++ compiler, which brings every target's headers and libraries.
#
#   cmake -S native -B DIR -DCMAKE_TOOLCHAIN_FILE=zig.cmake -DGTEWAY_ZIG=FOLDER -DGTEWAY_TARGET=x86_64-linux-gnu.2.17
#     -DGTEWAY_SYSTEM=Linux -DGTEWAY_PROCESSOR=x86_64
#
# GTEWAY_ZIG is a folder with zig, zig-ar and zig-ranlib: CMake wants a program of its own for each.
set(CMAKE_SYSTEM_NAME ${GTEWAY_SYSTEM})
set(CMAKE_SYSTEM_PROCESSOR ${GTEWAY_PROCESSOR})
set(CMAKE_CXX_COMPILER ${GTEWAY_ZIG}/zig c++ -target ${GTEWAY_TARGET})
set(CMAKE_AR ${GTEWAY_ZIG}/zig-ar)
set(CMAKE_RANLIB ${GTEWAY_ZIG}/zig-ranlib)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES GTEWAY_ZIG GTEWAY_TARGET GTEWAY_SYSTEM GTEWAY_PROCESSOR)
