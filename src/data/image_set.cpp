#include "data/image_set.h"

#include <stdexcept>

#include "data/cifar10.h"
#include "data/image_folder.h"
#include "data/mnist.h"
#include "data/pack_images.h"

namespace sfumato {

const std::vector<ImageSetFormat>& image_set_formats() {
  static const std::vector<ImageSetFormat> table = {
      pack_format(),
      image_folder_format(),
      mnist_format(),
      cifar10_format(),
  };
  return table;
}

const ImageSetFormat& find_image_set_format(const std::string& name) {
  std::string known;
  for (const auto& format : image_set_formats()) {
    if (format.name == name) return format;
    known += (known.empty() ? "" : ", ") + format.name;
  }
  throw std::invalid_argument("image set format '" + name + "', expected one of " + known);
}

}  // namespace sfumato
