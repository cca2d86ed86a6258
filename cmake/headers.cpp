// The place of the precompiled header (src/CMakeLists.txt); nothing else is in it.
