#!/bin/sh
# Changed lines per file since BASE, most first.
set -eu
base=${1:?usage: changed_lines.sh BASE}
git diff --numstat "$base" | awk '$1 != "-" { print $1 + $2 "\t" $3 }' | sort -rn
