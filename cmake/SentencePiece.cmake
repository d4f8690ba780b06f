# The target SentencePiece::SentencePiece. Not by pkg-config: Debian 13's file of it demands protobuf's, which nothing
# that links the shared library needs.
find_path(SFUMATO_SENTENCEPIECE_INCLUDE sentencepiece_processor.h REQUIRED DOC "Headers of SentencePiece")
find_library(SFUMATO_SENTENCEPIECE sentencepiece REQUIRED DOC "SentencePiece")
if(NOT TARGET SentencePiece::SentencePiece)
  add_library(SentencePiece::SentencePiece UNKNOWN IMPORTED GLOBAL)
  set_target_properties(SentencePiece::SentencePiece PROPERTIES
                        IMPORTED_LOCATION "${SFUMATO_SENTENCEPIECE}"
                        INTERFACE_INCLUDE_DIRECTORIES "${SFUMATO_SENTENCEPIECE_INCLUDE}")
endif()
