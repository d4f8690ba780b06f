#pragma once

#include <functional>
#include <string>

namespace sfumato {

constexpr int kFailure = 1, kMistake = 2, kInterrupted = 130;

/// What a program does once its arguments are checked and its files are read; returns the exit code.
using Compute = std::function<int()>;

/// Runs `prepare`, then what it returns; an empty function (--help) is success. What either throws is one line on
/// standard error. Returns 2 for a wrong argument or input file, 1 for a failure: whatever `prepare` throws is the
/// user's, but lack of memory, a full disk and errors of LibTorch.
int run_program(const std::string& name, const std::function<Compute()>& prepare);

}  // namespace sfumato
