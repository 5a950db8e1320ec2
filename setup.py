"""Packaging of mmseg_excel: ExCEL as an MMSegmentation plugin."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = {}
exec((ROOT / 'mmseg_excel/version.py').read_text(), VERSION)

# What only some need, and says so when it is missing: `mmseg_excel/utils/extras.py`.
OPTIONAL = {
    # `mmseg-excel app`
    'app': ['gradio>=6'],
    # reading MS COCO's annotations
    'coco': ['ijson', 'pycocotools'],
    # `mmseg-excel generate-descriptions`
    'descriptions': ['openai>=1.40'],
    # `mmseg-excel export-onnx`
    'onnx': ['onnx', 'onnxruntime', 'onnxscript'],
}

setup(
    name='mmseg_excel',
    version=VERSION['__version__'],
    description='ExCEL: weakly supervised semantic segmentation from image tags, for MMSeg',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='The authors of mmseg_excel',
    license='Apache-2.0',
    license_files=['LICENSE'],
    project_urls={'Paper': 'https://arxiv.org/abs/2503.20826'},
    keywords=[
        *('weakly supervised semantic segmentation', 'image tags', 'CLIP', 'ExCEL', 'WeCLIP'),
        *('CLIP-ES', 'MMSegmentation', 'DenseCRF', 'pseudo labels'),
    ],
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Image Recognition',
        'Typing :: Typed',
    ],
    python_requires='>=3.10',
    # `mmseg_excel/configs` links to `configs/`, so the recipes ship inside the wheel and
    # `from mmseg_excel.configs.excel_voc import *` works in editable installs too.
    packages=find_packages(include=['mmseg_excel', 'mmseg_excel.*']),
    package_data={
        'mmseg_excel': ['assets/*', 'configs/**/*.py', 'configs/**/*.yaml']
        + ['descriptions/*.json', 'py.typed']
    },
    entry_points={'console_scripts': ['mmseg-excel = mmseg_excel.command_line:main']},
    # OpenCV comes with mmcv, in whichever of its packages that is installed already.
    install_requires=[
        'matplotlib',
        'numba',
        'numpy',
        'open_clip_torch>=2.26',
        'pillow',
        'prettytable',
        'rich',
        'safetensors',
        'scikit-learn>=1.3',
        'scipy',
        'threadpoolctl',
        'torch>=2.1',
        'torchvision',
    ],
    extras_require={
        # The MMSegmentation stack is an extra: whoever has one keeps it.
        # Earlier ones import compiled operators that their mmcv does not bring; these need NumPy 2,
        # which PyTorch takes from 2.3 on.
        'onedl': [
            'onedl-mmengine>=0.10.8',
            'onedl-mmcv>=2.3',
            'onedl-mmsegmentation>=1.4',
            'torch>=2.3',
        ],
        'openmmlab': ['mmengine>=0.10.4', 'mmcv>=2.1', 'mmsegmentation>=1.2.2', 'ftfy', 'regex'],
        # DenseCRF by the library of its authors. It compiles when it is installed.
        'crf': ['pydensecrf2'],
        **OPTIONAL,
        'all': sorted(sum(OPTIONAL.values(), [])),
        # The page is tested, in Chromium where there is one.
        'dev': [
            *('pytest>=8', 'pytest-cov', 'pytest-timeout', 'pytest-xdist>=3.7', 'selenium'),
            *('mypy', 'ruff>=0.6'),
            'grad-cam<1.5',  # for which MMSegmentation's visualization_cam.py was made
        ],
        # `make docs`
        'docs': ['mkdocs-material>=9.5', 'mkdocstrings[python]>=0.26', 'ruff>=0.6'],
    },
)
