// The place of the tests' precompiled header (CMakeLists.txt); nothing else is in it.
