#!/bin/bash
# Quick tests in fresh environments of the Pythons that are there, without a compiler.
#   tools/test_matrix.sh                    all of 3.10 to 3.13, with newest PyTorch; the first with the oldest too
#   tools/test_matrix.sh PYTHON [oldest]    one
set -u
cd "$(dirname "$0")/.."
QUICK="tests/test_command_line.py tests/test_registration.py tests/test_house.py tests/models tests/ops"

check() { # PYTHON newest|oldest
    local folder pins=()
    folder=$(mktemp -d)
    [ "$2" = oldest ] && pins=('torch==2.3.*' 'torchvision==0.18.*')
    "$1" -m venv "$folder" &&
        CC=false CXX=false "$folder/bin/python" -m pip install --quiet '.[onedl,all,dev]' "${pins[@]}" &&
        OMP_NUM_THREADS=1 "$folder/bin/python" -m pytest $QUICK
    local result=$?
    rm -rf "$folder"
    return $result
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
