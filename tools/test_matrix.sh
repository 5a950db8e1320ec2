#!/bin/bash
# Installation, a toy training and quick tests in fresh environments, without a compiler.
#   tools/test_matrix.sh                    Python 3.10 to 3.13, and the first of them with the oldest PyTorch
#   tools/test_matrix.sh PYTHON [oldest]    one of them
set -u
cd "$(dirname "$0")/.."
QUICK="tests/test_command_line.py tests/test_registration.py tests/golden tests/ops tests/text"

check() { # PYTHON newest|oldest
    local folder pins=()
    folder=$(mktemp -d)
    [ "$2" = oldest ] && pins=('torch==2.3.*' 'torchvision==0.18.*')
    "$1" -m venv "$folder" &&
        CC=false CXX=false "$folder/bin/python" -m pip install --quiet '.[onedl,all,dev]' "${pins[@]}" &&
        (cd "$folder" && train_toy) &&
        OMP_NUM_THREADS=1 "$folder/bin/python" -m pytest $QUICK
    local result=$?
    rm -rf "$folder"
    return $result
}

train_toy() { # in the environment's folder, where the checkout is out of sight
    bin/mmseg-excel make-toy-world data/toy --train 16 --val 4 &&
        OMP_NUM_THREADS=1 bin/mmseg-excel train excel_toy --cfg-options \
            train_cfg.max_iters=20 train_cfg.val_interval=20 default_hooks.checkpoint.interval=20
}

if [ $# -gt 0 ]; then
    check "$1" "${2:-newest}"
    exit
fi
failed=0
oldest=oldest
for version in 3.10 3.11 3.12 3.13; do
    command -v "python$version" > /dev/null || { echo "$version: not on this machine"; continue; }
    for torch in newest $oldest; do
        if check "python$version" "$torch"; then echo "$version, $torch PyTorch: passed"
        else echo "$version, $torch PyTorch: FAILED"; failed=1; fi
    done
    oldest=
done
exit $failed
