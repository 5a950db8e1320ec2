#!/bin/bash
# MMSegmentation's own tools, and quick tests, on OpenMMLab's releases (`make test-openmmlab`).
#   tools/test_openmmlab.sh [FOLDER]    of the environment, which is kept (default: .venv-openmmlab)
# mmcv comes with its compiled operations where pip finds a wheel, MMCV_WHEELS being a page of such
# for pip's --find-links, and as mmcv-lite otherwise. PYTHON is one of 3.10 to 3.12.
set -eu
cd "$(dirname "$0")/.."
FOLDER=${1:-.venv-openmmlab}
BIN=$FOLDER/bin
PINS=(torch==2.2.2 torchvision==0.17.2 'numpy==1.26.*' 'setuptools<81' 'opencv-python<4.12')

install() {
    "$BIN/python" -m pip install --quiet --constraint "$FOLDER/pins" "$@"
}

# MMSegmentation imports operations that it may never call, and that mmcv-lite lacks.
stand_in_for_operations() {
    cat > "$("$BIN/python" -c 'import mmcv; print(mmcv.__path__[0])')/_ext.py" << 'END'
def __getattr__(name):
    if name.startswith('__'):
        raise AttributeError(name)

    def missing(*_, **__):
        raise RuntimeError(f'mmcv-lite has no {name}')

    return missing
END
}

create() {
    "${PYTHON:-$(command -v python3.11 || command -v python3.10 || command -v python3.12)}" \
        -m venv "$FOLDER"
    printf '%s\n' "${PINS[@]}" > "$FOLDER/pins"
    install "${PINS[@]}" wheel mmengine==0.10.7 mmsegmentation==1.2.2 ftfy regex
    if ! install --only-binary mmcv ${MMCV_WHEELS:+--find-links "$MMCV_WHEELS"} mmcv==2.1.0; then
        install mmcv-lite==2.1.0
        stand_in_for_operations
    fi
    # visualization_cam.py was made for grad-cam 1.4.
    install --editable . pytest pytest-timeout 'grad-cam<1.5'
}

if [ ! -e "$FOLDER/installed" ] || [ setup.py -nt "$FOLDER/installed" ]; then
    create
    touch "$FOLDER/installed"
fi
"$BIN/python" -m pip list | grep -E '^(torch|numpy|mm[a-z-]+|opencv[a-z-]*|grad-cam) '
OMP_NUM_THREADS=1 "$BIN/python" -m pytest -rs \
    tests/stock_tools tests/test_registration.py tests/models tests/ops
