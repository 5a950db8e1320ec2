import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import LabelData
from mmseg.apis import MMSegInferencer
from mmseg.structures import SegDataSample
from PIL import Image

from mmseg_excel.inference.inferencer import TagInferencer
from mmseg_excel.text.class_texts import build_class_texts
from mmseg_excel.utils.config_file import CONFIGS
from tests.tolerance import assert_near, assert_same_labels

TAGS = ['cat', 'dog']


@pytest.fixture(scope='module')
def image(inferencer, picture):
    return inferencer.encode(picture)


def test_answers_are_the_models_own(inferencer, image):
    """Maps, dynamic pseudo label and prediction equal those of the segmentor's verbs."""
    model = inferencer.model
    sample = _sample(inferencer, TAGS)
    answer = inferencer.ask(image, TAGS)
    maps = model.class_activation_maps(image.inputs, dynamic=True)
    index = inferencer.vocabulary.classes.index('cat')
    expected = torch.nn.functional.interpolate(maps[:, [index]], (90, 120), mode='bilinear')
    assert_near(answer.maps[0], expected[0, 0])

    labels = model.pseudo_labels(image.inputs, [sample], dynamic=True)
    dense = torch.nn.functional.interpolate(labels.dense_scores(21), (90, 120), mode='bilinear')
    assert_same_labels(answer.pseudo_label.labels, dense[0].argmax(0), dense[0])
    logits = model.predict(image.inputs, [sample])[0].seg_logits.data
    assert_same_labels(answer.prediction.labels, logits.argmax(0), logits)


def _sample(inferencer, tags):
    sample = SegDataSample(metainfo=dict(ori_shape=(90, 120), img_shape=(160, 160)))
    hot = [float(name in tags) for name in inferencer.vocabulary.classes]
    sample.gt_tags = LabelData(multi_hot=torch.tensor(hot))
    return sample


def test_asking_again_does_not_run_clip_again(inferencer, image, monkeypatch):
    def never(*args):
        raise AssertionError('CLIP ran again')

    monkeypatch.setattr(inferencer.model.backbone, 'forward', never)
    settings = replace(inferencer.settings, num_layers=3, par_iterations=2)
    shallow = inferencer.ask(image, TAGS, settings=settings)
    deep = inferencer.ask(image, TAGS, settings=replace(settings, num_layers=8))
    assert np.abs(shallow.maps - deep.maps).max() > 0.01


def test_settings_reach_the_labels(inferencer, image):
    plain = inferencer.ask(image, TAGS).pseudo_label.labels
    for change in (dict(par_iterations=0), dict(box_threshold=0.2), dict(dynamic=False)):
        other = inferencer.ask(image, TAGS, settings=replace(inferencer.settings, **change))
        assert (other.pseudo_label.labels != plain).any(), change
    crf = inferencer.ask(image, TAGS, settings=replace(inferencer.settings, crf=True))
    assert _roughness(crf.pseudo_label.labels) <= _roughness(plain)


def _roughness(labels):
    return (np.diff(labels.astype(int), axis=0) != 0).sum()


def test_texts_of_the_configs_classes_are_the_text_heads(inferencer):
    """The inferencer hunts in the whole bank just as the text head does."""
    settings = replace(inferencer.settings, texts='attributes', keep_ratio=0.5)
    ours = inferencer.texts(inferencer.vocabulary, settings)
    theirs = build_class_texts(
        inferencer.words.encoder,
        inferencer.vocabulary,
        descriptions='voc',
        num_attributes=8,
        keep_ratio=0.5,
    )
    assert_near(ours, theirs)


def test_any_words_can_be_asked(inferencer, image):
    answer = inferencer.ask(image, classes=['red disc', 'brick wall'])
    assert answer.tags == ('red disc', 'brick wall')
    assert answer.pseudo_label.classes == ('background', 'red disc', 'brick wall')
    assert set(np.unique(answer.pseudo_label.labels)) <= {0, 1, 2}
    backgrounds = inferencer.make_vocabulary(['red disc', 'brick wall']).backgrounds
    assert 'wall' not in backgrounds and 'sky' in backgrounds


def test_without_tags_the_prediction_tells(inferencer, image):
    answer = inferencer.ask(image)
    assert set(answer.tags) == set(answer.prediction.shares()) - {'background'}


def test_an_image_without_tags_is_background(inferencer, image):
    answer = inferencer.ask(image, tags=[])
    assert answer.maps.shape == (0, 90, 120)
    assert not answer.pseudo_label.labels.any()


def test_training_free(golden_cfg, picture):
    inferencer = TagInferencer(golden_cfg, device='cpu')
    image = inferencer.encode(picture)
    answer = inferencer.ask(image, TAGS)
    assert answer.prediction is None and not answer.settings.dynamic
    with pytest.raises(ValueError, match='Say which classes'):
        inferencer.ask(image)
    with pytest.raises(ValueError, match='give a checkpoint'):
        inferencer.ask(image, TAGS, settings=replace(inferencer.settings, dynamic=True))


def test_files_folders_and_arrays_agree(inferencer, picture, picture_file):
    folder = inferencer(picture_file.parent, TAGS)
    listed = inferencer([picture, str(picture_file)], TAGS)
    assert len(folder) == 1 and len(listed) == 2
    for answer in (*folder, *listed):
        assert np.array_equal(answer.pseudo_label.labels, folder[0].pseudo_label.labels)


def test_saved_files_hold_the_answer(inferencer, picture_file, tmp_path):
    [answer] = inferencer(picture_file, TAGS, out_dir=tmp_path)
    labels = np.asarray(Image.open(tmp_path / 'disc_pseudo_label.png'))
    assert np.array_equal(labels, answer.pseudo_label.labels)
    colours = np.asarray(Image.open(tmp_path / 'disc_pseudo_label.png').convert('RGB'))
    assert np.array_equal(colours, answer.pseudo_label.paint())
    with np.load(tmp_path / 'disc_maps.npz', allow_pickle=False) as maps:
        assert np.array_equal(maps['maps'], answer.maps)
        assert tuple(maps['tags']) == answer.tags == ('cat', 'dog')
    assert {p.name for p in tmp_path.iterdir()} == {
        f'disc_{kind}' for kind in ('pseudo_label.png', 'prediction.png', 'maps.npz', 'panel.png')
    }


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda i, p, t: i(p, ['unicorn']), "'unicorn' is none of the classes"),
        (lambda i, p, t: i(np.zeros((4, 4), np.uint8), TAGS), 'uint8 BGR of shape'),
        (lambda i, p, t: i(t, TAGS), 'holds no image'),
        (lambda i, p, t: i(_text_named_jpg(t), TAGS), 'text.jpg is not a readable image'),
        (lambda i, p, t: TagInferencer('excel_mars'), "no config 'excel_mars'.*excel_voc"),
        (lambda i, p, t: TagInferencer(i.config, t / 'no.pth'), "no checkpoint '.*no.pth'"),
        (lambda i, p, t: TagInferencer(i.config, _text_named_jpg(t)), 'could not be read as a'),
        (lambda i, p, t: TagInferencer(i.config, _stranger(t)), 'does not fit the config'),
    ],
)
def test_bad_input_is_named(inferencer, picture, tmp_path, call, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        call(inferencer, picture, tmp_path)


def _text_named_jpg(folder: Path) -> Path:
    path = folder / 'text.jpg'
    path.write_text('no picture')
    return path


def _stranger(folder: Path) -> Path:
    torch.save(dict(state_dict={'weight': torch.zeros(2)}), folder / 'stranger.pth')
    return folder / 'stranger.pth'


def test_mmseg_inferencer_works_with_our_config(golden_cfg, checkpoint, picture, inferencer):
    """MMSegmentation's own inferencer predicts what ours predicts."""
    config = golden_cfg.copy()
    config.visualizer = dict(type='SegLocalVisualizer', name='mmseg_inferencer', vis_backends=[])
    theirs = MMSegInferencer(config, str(checkpoint), device='cpu', scope='mmseg')
    prediction = theirs(picture.copy(), show=False)['predictions']
    ours = inferencer(picture)[0].prediction.labels
    assert (ours == prediction).mean() > 0.999


def test_mmseg_inferencer_works_with_a_packaged_recipe(picture, tmp_path):
    """The toy recipe as it is, and a checkpoint of it."""
    ours = TagInferencer('excel_toy', device='cpu')
    torch.save(dict(state_dict=ours.model.state_dict()), tmp_path / 'toy.pth')
    theirs = MMSegInferencer(
        str(CONFIGS / 'excel_toy.py'), str(tmp_path / 'toy.pth'), device='cpu', scope='mmseg'
    )
    prediction = theirs(picture.copy(), show=False)['predictions']
    ours.trained = True  # the weights they have, too
    assert (ours.predict(ours.encode(picture)).labels == prediction).mean() > 0.999


def test_a_single_pixel_survives(inferencer):
    answer = inferencer(np.full((1, 1, 3), 7, np.uint8), TAGS)[0]
    assert answer.pseudo_label.labels.shape == (1, 1)


# One answer --------------------------------------------------------------------------------------


def config_of_any_size(golden_cfg, **preprocessor):
    """The golden config, but images stay as large as they are."""
    config = copy.deepcopy(golden_cfg)
    pipeline = config.test_dataloader.dataset.pipeline
    config.test_dataloader.dataset.pipeline = [s for s in pipeline if s['type'] != 'Resize']
    config.model.data_preprocessor.update(preprocessor)
    return config


@pytest.fixture(
    scope='module', params=[{}, dict(test_cfg=dict(size=(80, 128)))], ids=['', 'padded']
)
def any_size(request, golden_cfg, checkpoint):
    return TagInferencer(config_of_any_size(golden_cfg, **request.param), checkpoint, 'cpu')


@pytest.mark.parametrize('half', [False, True], ids=['float32', 'bfloat16'])
@pytest.mark.parametrize('size', [(61, 96), (64, 96), (50, 33)])
def test_the_inferencer_answers_as_the_segmentor(any_size, picture, size, half):
    model, pixels = any_size.model, np.ascontiguousarray(picture[: size[0], : size[1]])
    with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16, enabled=half):
        image = any_size.encode(pixels)
        inputs, samples = _preprocessed(any_size, pixels)
        assert torch.equal(image.inputs, inputs)
        predicted = model.predict(inputs, samples)[0].pred_sem_seg.data[0].numpy()
        assert np.array_equal(any_size.predict(image).labels, predicted)
        for dynamic in (False, True):
            settings = replace(any_size.settings, dynamic=dynamic)
            maps = model.class_activation_maps(inputs, dynamic=dynamic)
            ours = any_size.maps(image, any_size.vocabulary, settings)
            assert ours.dtype == torch.float32 and (ours - maps).abs().max() < 1e-5
            labels = model.pseudo_labels(inputs, samples, dynamic=dynamic).labels[0]
            answer = any_size.ask(image, TAGS, settings=settings).pseudo_label.labels
            assert np.array_equal(answer, labels[: size[0], : size[1]].numpy())


def _preprocessed(inferencer, pixels):
    """The picture as the segmentor gets it, tagged."""
    sample = SegDataSample(metainfo=dict(ori_shape=pixels.shape[:2], img_shape=pixels.shape[:2]))
    hot = [float(name in TAGS) for name in inferencer.vocabulary.classes]
    sample.gt_tags = LabelData(multi_hot=torch.tensor(hot))
    data = dict(inputs=[torch.from_numpy(pixels).permute(2, 0, 1)], data_samples=[sample])
    batch = inferencer.model.data_preprocessor(data)
    return batch['inputs'], batch['data_samples']


def test_padding_by_the_data_preprocessor_does_not_reach_the_answer(golden_cfg, picture):
    """Labels of padding are cut off, not squeezed into the image."""
    config = config_of_any_size(golden_cfg, test_cfg=dict(size_divisor=64))
    inferencer = TagInferencer(config, device='cpu')
    inputs, samples = _preprocessed(inferencer, np.ascontiguousarray(picture[:61, :96]))
    with torch.no_grad():
        whole = inferencer.model.encode_decode(inputs)
        result = inferencer.model.predict(inputs, samples)[0]
    assert inputs.shape[2:] == (64, 128)
    assert torch.equal(result.pred_sem_seg.data[0], whole[0, :, :61, :96].argmax(0))
