"""What several folders of tests share."""

import logging
import shutil
import signal

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from mmseg_excel.densecrf import engines

# Jobs that a shell starts in the background ignore Ctrl-C, and so would the programs under test.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    """Let the tests of what computes run where it computes."""
    parser.addoption(
        '--device',
        default='cpu',
        help='where rooms compute: cpu (default), cuda, ...; tests that use no device are left out '
        'for any other than the CPU',
    )


def pytest_collection_modifyitems(config, items):
    """Begin with what takes long, lest a core waits at the end; on a device run what uses it."""
    items.sort(key=lambda item: item.get_closest_marker('slow') is None)
    if config.getoption('device') != 'cpu':
        others = [item for item in items if 'device' not in item.fixturenames]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if 'device' in item.fixturenames]


@pytest.fixture(scope='session')
def device(pytestconfig):
    """Where rooms compute, in float32: ``--device``."""
    device = torch.device(pytestconfig.getoption('device'))
    if device.type == 'cuda' and not torch.cuda.is_available():
        pytest.skip(f'--device {device}: PyTorch finds no CUDA here')
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield device


@pytest.fixture(scope='module', autouse=True)
def default_scope():
    """Build by MMSegmentation's names, whatever scope an earlier module's run has left."""
    init_default_scope('mmseg')


@pytest.fixture(scope='module', autouse=True)
def no_log_files():
    """Take the log files of a module's runs from MMEngine's loggers, which outlive them.

    The server of the page closes all handlers there are, and MMEngine writes to closed ones.
    """
    yield
    for logger in MMLogger._instance_dict.values():
        for handler in logger.handlers[:]:
            if isinstance(handler, logging.FileHandler):
                logger.removeHandler(handler)
                handler.close()


@pytest.fixture(scope='session', params=engines.PACKAGES)
def engine(request):
    """Each engine of DenseCRF that is installed."""
    return installed_engine(request.param)


def installed_engine(name):
    """Skip what needs an engine that is not there."""
    try:
        engines.check_installed('engine', name)
    except ImportError as error:
        pytest.skip(str(error))
    return name


@pytest.fixture(scope='session')
def browser():
    """A headless Chromium whose console and requests are recorded."""
    programs = [shutil.which(name) for name in ('chromium', 'chromedriver')]
    if None in programs:
        pytest.skip('needs Chromium: apt install chromium chromium-driver')
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for argument in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'):
        options.add_argument(argument)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(programs[1]))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()
