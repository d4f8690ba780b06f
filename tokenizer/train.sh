#!/bin/sh
# Trains spiece.model, the SentencePiece model of the text encoder that ships: unigram, 4096 pieces, T5's special
# tokens, case folded, no bytes for the unknown (transformers' T5Tokenizer has none). Its text: captions that compose
# invents, the names and synonyms of all things, CLDR's keywords and WordNet's glosses. Debian packages: sentencepiece,
# unicode-cldr-core, wordnet-base, and those that compose reads. Usage: tokenizer/train.sh path/to/compose
set -eu
compose=${1:?usage: tokenizer/train.sh path/to/compose}
here=$(cd "$(dirname "$0")" && pwd)
text=$(mktemp -d)
trap 'rm -rf "$text"' EXIT

"$compose" --captions "$text/captions.txt" --scenes 150000 --seed 4096
# Names stand first in that file, before the first caption; ten times over they outweigh the glosses.
names=$("$compose" --captions "$text/one.txt" --scenes 1 2>/dev/null && wc -l <"$text/one.txt")
for _ in 1 2 3 4 5 6 7 8 9 10; do head -n $((names - 1)) "$text/one.txt"; done >"$text/names.txt"
sed -n 's/.*<annotation cp="[^"]*">\(.*\)<\/annotation>.*/\1/p' /usr/share/unicode/cldr/common/annotations/en.xml |
  tr '|' '\n' | sed 's/^ *//;s/ *$//' >"$text/keywords.txt"
grep -v '^ ' /usr/share/wordnet/data.noun | sed 's/^[^|]*| //;s/"[^"]*"//g;s/;.*//' >"$text/glosses.txt"

spm_train --input="$text/captions.txt,$text/names.txt,$text/keywords.txt,$text/glosses.txt" \
  --model_prefix="$text/spiece" --model_type=unigram --vocab_size=4096 --character_coverage=1.0 \
  --required_chars='0123456789&()+-.,:;!?/%"#*_=<>[]~@abcdefghijklmnopqrstuvwxyzàáâãäåæçèéêëìíîïñòóôõöøùúûüýß' \
  --normalization_rule_name=nmt_nfkc_cf --pad_id=0 --eos_id=1 --unk_id=2 --bos_id=-1 \
  --pad_piece='<pad>' --eos_piece='</s>' --unk_piece='<unk>' --shuffle_input_sentence=false --num_threads=2 \
  --minloglevel=1
mv "$text/spiece.model" "$here/spiece.model"
ls -l "$here/spiece.model"
