#include "train/folder.h"

#include <iostream>

#ifdef SFUMATO_HAVE_IMAGES
#include "scenes/folder_pack.h"
#include "tokenizer/tokenizer.h"
#endif

namespace sfumato {

#ifdef SFUMATO_HAVE_IMAGES
PackFolder folder_packer(const OnRead& on_read) {
  return [on_read](const FolderPacking& packing) {
    const auto tokenizer = load_tokenizer(packing.tokenizer);
    const auto [files, notes] = list_captioned_images(packing.folder);
    for (const auto& note : notes) std::cerr << "train: " << note << '\n';
    const auto held_out = default_held_out(static_cast<std::int64_t>(files.size()));
    const auto contents =
        folder_contents(files, {.size = packing.image_size, .held_out = held_out, .on_image = on_read});
    write_pack(packing.pack, contents, *tokenizer);
    std::cerr << packing.pack.string() << ": " << files.size() << " images, " << held_out << " held out\n";
  };
}
#else
PackFolder folder_packer(const OnRead&) {
  return {};
}
#endif

}  // namespace sfumato
