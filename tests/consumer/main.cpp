#include <systems/stable_diffusion/request.h>
#include <systems/stable_diffusion/stable_diffusion.h>

#include <exception>
#include <iostream>

int main(int argc, char** argv) try {
  sfumato::Request request;
  request.prompt = argc > 1 ? argv[1] : "a cat on a sofa";
  sfumato::validate(request, {});
  std::cout << sfumato::to_json(request).at("prompt") << std::endl;
  sfumato::load_stable_diffusion(argc > 2 ? argv[2] : "no such model", {});
} catch (const std::exception& error) {
  std::cout << error.what() << std::endl;
}
