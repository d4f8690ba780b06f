#pragma once

#include <functional>
#include <string>

namespace sfumato {

constexpr int kFailure = 1, kMistake = 2;

/// Work of a program after its arguments are checked and its files are read; returns the exit code.
using Compute = std::function<int()>;

/// Runs `prepare`, then the function it returns; an empty function (--help) is success. Prints exceptions of either as
/// one line on standard error. Returns 2 for a wrong argument or input file, 1 for a failure. Exceptions of `prepare`
/// count as user errors, except for lack of memory, a full disk and errors of LibTorch.
int run_program(const std::string& name, const std::function<Compute()>& prepare);

}  // namespace sfumato
