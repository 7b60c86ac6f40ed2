#!/bin/sh
# Builds the C++ client, its examples and unit tests in clients/cpp/build, without warnings, and runs the tests.
set -eu
cd "$(dirname "$0")"
cmake -S . -B build -DCMAKE_BUILD_TYPE=Release -DSTEMWIRE_TESTS=ON -DSTEMWIRE_EXAMPLES=ON -DCMAKE_COMPILE_WARNING_AS_ERROR=ON >/dev/null
cmake --build build --parallel 2 >/dev/null
ctest --test-dir build --output-on-failure --no-tests=ignore
