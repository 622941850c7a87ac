// What every program does the same way: it tells problems and ends, or prints a text, or goes on.
//
// Lines look like those of the log: where that is JSON (base/log.h), they are objects, too.

#pragma once

#include "base/error.h"

#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace waypost::programs {

// Prints a line on standard output, at once: scripts wait for lines.
void print_line(std::string_view line);

// Prints a text on standard output and returns 0.
int print_text(std::string_view text);

// Tells every problem on standard error, each behind the program's name, if that is not empty and
// lines are text, and returns 1.
int fail(std::string_view program, const std::vector<Error>& problems);
int fail(std::string_view program, const Error& problem);

// Runs `run` with the arguments of main() but for the program's name, and returns what it returns.
// What it throws becomes a line on standard error and 1.
int run_program(std::string_view program, int argc, char** argv,
                const std::function<int(std::span<const char* const>)>& run);

}  // namespace waypost::programs
