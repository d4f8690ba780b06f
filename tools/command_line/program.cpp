#include "command_line/program.h"

#include <c10/util/Exception.h>

#include <iostream>
#include <stdexcept>
#include <system_error>

#include "core/error_text.h"
#include "core/memory_pool.h"

namespace sfumato {
namespace {

int complain(const std::string& name, const std::string& message, int code) {
  std::cerr << name << ": " << message << '\n';
  return code;
}

}  // namespace

int run_program(const std::string& name, const std::function<Compute()>& prepare) {
  int code = kMistake;
  pool_cpu_memory();
  try {
    const auto compute = prepare();
    if (!compute) return 0;
    code = kFailure;
    const int result = compute();
    if (!std::cout.flush()) throw std::runtime_error("cannot write to standard output");
    return result;
  } catch (const c10::Error& error) {
    return complain(name, error_text(error), kFailure);
  } catch (const std::system_error& error) {
    return complain(name, error_text(error), kFailure);
  } catch (const std::invalid_argument& error) {
    return complain(name, error_text(error), kMistake);
  } catch (const std::exception& error) {
    return complain(name, error_text(error), is_out_of_memory(error) ? kFailure : code);
  }
}

}  // namespace sfumato
