"""The page: Gradio components and what happens when one is touched."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..inference.subject import names_of_models
from ..models.excel import ExCELSettings
from ..models.settings import Settings
from ..utils.bad_input import BadInput
from ..utils.checks import check_flag, check_number, check_whole
from ..visualization.attention import Point
from .blocks import PoliteBlocks
from .desk import Desk
from .examples import toy_scenes
from .gradio import gr
from .pictures import (
    attention_pictures,
    enlarged,
    enlargement,
    figures,
    label_picture,
    legend,
    map_pictures,
)
from .uploads import MAX_BYTES, MAX_PIXELS, read_upload
from .words import parse_names

MOST_CLASSES, MOST_BACKGROUNDS = 20, 100
INTRODUCTION = """# Where in this picture is …?

Choose a picture, type what to look for, and see a map of each class and the labels they give
(ExCEL, CVPR 2025, and the methods it is compared with). Click on the picture to see what CLIP
attends to from there.
"""
LIMITS = f'At most {MAX_BYTES // 2**20} MB and {MAX_PIXELS // 10**6} million pixels.'
CLICK_HINT = 'Click on the picture to see the attention from that point.'
Update = dict[gr.blocks.Block, object]
# Lowest, highest (None: as many as CLIP has blocks), step, label.
SLIDERS = {
    'num_layers': (1, None, 1, 'N, calibrated blocks'),
    'attribute_weight': (0, 8, 0.1, 'λ, weight of the attributes'),
    'keep_ratio': (0.05, 1, 0.05, 'K_r, share of attributes kept'),
    'box_threshold': (0, 1, 0.01, 'τ, threshold of the boxes'),
    'par_iterations': (0, 40, 1, 'Rounds of pixel-adaptive refinement'),
    'background_power': (0.1, 8, 0.1, 't, power of the background’s score'),
}
FLAGS = {'crf': 'DenseCRF', 'dynamic': 'Dynamic maps (the trained adapter)'}
KNOBS = (*SLIDERS, *FLAGS)


def build_page(*desks: Desk) -> gr.Blocks:
    """Lay out the page and connect it with desks, one a method."""
    return Page(desks).blocks


class Page:
    """Components of the page, and a handler for each thing one can do.

    Args:
        desks: They answer the questions, one a method; the page begins with the first.
    """

    def __init__(self, desks: Sequence[Desk]) -> None:
        names = names_of_models([desk.inferencer for desk in desks])
        self.desks = dict(zip(names, desks, strict=True))
        self.first = desks[0]
        self.scenes = toy_scenes()
        # Pictures sent and drawn are deleted after an hour.
        with PoliteBlocks(
            title='ExCEL', analytics_enabled=False, delete_cache=(600, 3600)
        ) as self.blocks:
            gr.Markdown(INTRODUCTION)
            if self.first.inferencer.notice:
                gr.HTML(_paragraph(self.first.inferencer.notice, 'notice'), elem_id='notice')
            self.pixels = gr.State(time_to_live=3600)
            self.point = gr.State(time_to_live=3600)
            with gr.Row():
                with gr.Column(scale=3, min_width=280):
                    self._lay_out_question()
                with gr.Column(scale=6, min_width=320):
                    self._lay_out_answer()
                with gr.Column(scale=3, min_width=260):
                    self._lay_out_settings()
            self._connect()

    # Layout ---------------------------------------------------------------------------------

    def _lay_out_question(self) -> None:
        self.picture = gr.Image(
            label='Picture',
            elem_id='picture',
            interactive=False,
            format='png',
            buttons=[],
            alt_text='The picture that is asked about; click on it to see attention',
        )
        self.classes = gr.Textbox(
            label='Classes',
            info='Any words, separated by commas; press Enter.',
            elem_id='classes',
            submit_btn='Look',
        )
        self.upload = gr.UploadButton(
            'Upload a picture', elem_id='upload', file_types=['image'], type='filepath'
        )
        gr.HTML(_paragraph(LIMITS, 'hint'))
        gr.HTML(_heading('Examples', 'generated scenes of the toy world, no photographs'))
        self.examples = gr.Gallery(
            [(enlarged(scene.image), ', '.join(scene.tags)) for scene in self.scenes],
            show_label=False,
            elem_id='examples',
            columns=4,
            height='auto',
            allow_preview=False,
            interactive=False,
            buttons=[],
        )

    def _lay_out_settings(self) -> None:
        gr.HTML(_heading('Settings', 'the picture is encoded once'))
        self.method = gr.Radio(
            list(self.desks),
            value=next(iter(self.desks)),
            label='Method',
            elem_id='method',
            visible=len(self.desks) > 1,
        )
        self.method.preprocess = _as_it_came
        self.knobs = {
            name: _knob(name, self.first, next(d for d in self.desks.values() if _has(d, name)))
            for name in KNOBS
            if any(_has(desk, name) for desk in self.desks.values())
        }
        for name, knob in self.knobs.items():
            knob.elem_id = name
            # Gradio would answer what no browser sends with an error that says nothing.
            knob.preprocess = _as_it_came
        self.backgrounds = gr.Textbox(
            ', '.join(self.first.inferencer.vocabulary.backgrounds),
            label='Backgrounds',
            info='What competes with the classes; edit as you like.',
            elem_id='backgrounds',
            lines=3,
            submit_btn='Look',
        )

    def _lay_out_answer(self) -> None:
        self.note = gr.HTML(elem_id='note')
        gr.HTML(_heading('Maps', 'each over its own range: dark is lowest, bright highest'))
        self.maps = gr.HTML(elem_id='maps')
        with gr.Row():
            with gr.Column(min_width=200):
                self.pseudo_label = _label_image('Pseudo label', 'pseudo_label')
                self.legend = gr.HTML(elem_id='legend')
            with gr.Column(min_width=200, visible=self._any_trained):
                self.prediction = _label_image('Prediction of the decoder', 'prediction')
                self.prediction_legend = gr.HTML(elem_id='prediction_legend')
        gr.HTML(_heading('Attention', 'CLIP’s own (q-k) and calibrated (SVC)'))
        self.attention_note = gr.HTML(_paragraph(CLICK_HINT, 'hint'), elem_id='attention_note')
        self.attention = gr.HTML(elem_id='attention')

    # Events ---------------------------------------------------------------------------------

    def _connect(self) -> None:
        question = [self.classes, self.backgrounds, *self.knobs.values()]
        if len(self.desks) > 1:
            question.append(self.method)
        asked = [self.pixels, self.point, *question]
        everything = [
            *(self.pixels, self.point, self.picture, self.classes, self.note, self.maps),
            *(self.pseudo_label, self.legend, self.prediction, self.prediction_legend),
            *(self.attention, self.attention_note),
        ]
        # One model, so one question at a time; of a burst of events the last one counts.
        common = dict(
            outputs=everything,
            api_visibility='private',
            concurrency_id='model',
            concurrency_limit=1,
            trigger_mode='always_last',
            show_progress='hidden',
        )
        self.blocks.load(self.on_load, question, **common)
        self.upload.upload(self.on_upload, [self.upload, *question], **common)
        self.examples.select(self.on_example, question, **common)
        self.picture.select(self.on_click, asked, **common)
        changes = [
            *(self.classes.submit, self.backgrounds.submit),
            *(knob.change for knob in self.knobs.values()),
        ]
        gr.on(changes, self.on_change, asked, **common)
        turned = common | dict(outputs=[*everything, *self.knobs.values()])
        self.method.change(self.on_method, asked, **turned)

    def on_load(self, *question) -> Update:
        """Begin with the first example."""
        return self._open_example(0, question)

    def on_example(self, event: gr.EventData, *question) -> Update:
        """Open an example, with its tags as the classes."""
        number = _index_of(event)
        if isinstance(number, int) and 0 <= number < len(self.scenes):
            return self._open_example(number, question)
        return {self.note: _paragraph('There is no such example: choose another.', 'error')}

    def on_upload(self, path: str, *question) -> Update:
        """Open a picture that was sent."""
        return self._spoken(lambda: self._open(read_upload(path), question))

    def on_change(self, pixels: np.ndarray | None, point: Point | None, *question) -> Update:
        """Ask again about the same picture."""
        return self._spoken(
            lambda: self._answer(pixels, question) | self._attend(pixels, point, question)
        )

    def on_method(self, pixels: np.ndarray | None, point: Point | None, *question) -> Update:
        """Ask another method, by its own settings."""

        def change() -> Update:
            desk = self._desk_of(question)
            own = desk.inferencer.settings
            knobs = {knob: getattr(own, name, knob.value) for name, knob in self.knobs.items()}
            asked = (*question[:2], *knobs.values(), question[-1])
            turned = {
                knob: gr.update(value=knobs[knob], visible=_visible(name, desk))
                for name, knob in self.knobs.items()
            }
            answered = self._spoken(lambda: self._answer(pixels, asked))
            return turned | answered | self._attend(pixels, point, asked)

        return self._spoken(change)

    def on_click(self, event: gr.EventData, pixels: np.ndarray | None, _, *question) -> Update:
        """Show attention from a point of the picture."""

        def attend() -> Update:
            point = _point_of(_index_of(event), pixels)
            return {self.point: point} | self._attend(pixels, point, question)

        return self._spoken(attend)

    # Parts ----------------------------------------------------------------------------------

    def _spoken(self, act: Callable[[], Update]) -> Update:
        """Do something; if that cannot be done, say why, and leave the rest as it is."""
        try:
            return act()
        except ValueError as error:
            return {self.note: _paragraph(str(error), 'error')}
        except OSError as error:  # its text names files of this machine
            remark = f'This machine could not read or write a file: {error.strerror}.'
            return {self.note: _paragraph(remark, 'error')}

    def _open_example(self, number: int, question: tuple) -> Update:
        scene = self.scenes[number]
        classes = ', '.join(scene.tags)
        return {self.classes: classes} | self._spoken(
            lambda: self._open(scene.image, (classes, *question[1:]))
        )

    def _open(self, pixels: np.ndarray, question: tuple) -> Update:
        update = {self.pixels: pixels, self.picture: enlarged(pixels)}
        return (
            update
            | self._attend(pixels, None, question)
            | self._spoken(lambda: self._answer(pixels, question))
        )

    def _answer(self, pixels: np.ndarray | None, question: tuple) -> Update:
        start = time.perf_counter()
        if pixels is None:
            raise BadInput('Choose a picture first.')
        desk, (classes, backgrounds) = self._desk_of(question), question[:2]
        reply = desk.ask(
            pixels,
            parse_names(classes, 'class', MOST_CLASSES),
            parse_names(backgrounds, 'background', MOST_BACKGROUNDS),
            self._settings(desk, question),
        )
        answer = reply.answer
        update = {
            self.maps: figures(map_pictures(answer)),
            self.pseudo_label: label_picture(answer.pseudo_label, pixels),
            self.legend: legend(answer.pseudo_label),
        }
        if answer.prediction is not None:
            update[self.prediction] = label_picture(answer.prediction, pixels)
            update[self.prediction_legend] = legend(answer.prediction)
        elif self._any_trained:  # another method's is not left standing
            update |= {self.prediction: None, self.prediction_legend: ''}
        seconds = f'Answered in {time.perf_counter() - start:.2f} s.'
        return update | {self.note: _paragraph(f'{reply.remark} {seconds}', 'note')}

    def _attend(self, pixels: np.ndarray | None, point: Point | None, question: tuple) -> Update:
        if point is None or pixels is None:
            hint = _paragraph(CLICK_HINT, 'hint')
            return {self.point: None, self.attention: '', self.attention_note: hint}
        desk = self._desk_of(question)
        settings = self._settings(desk, question)
        heat = desk.attention(pixels, point, settings)
        where = f'From ({point[0]:.0f}, {point[1]:.0f})'
        if isinstance(settings, ExCELSettings):
            where += f'; SVC over the last {settings.num_layers} blocks'
        return {
            self.attention: figures(attention_pictures(heat, pixels, point)),
            self.attention_note: _paragraph(f'{where}.', 'hint'),
        }

    @property
    def _any_trained(self) -> bool:
        return any(desk.inferencer.trained for desk in self.desks.values())

    def _desk_of(self, question: tuple) -> Desk:
        """The desk of a question's method; without a menu there is but one."""
        if len(self.desks) == 1:
            return self.first
        method = question[-1]
        if method not in self.desks:
            raise BadInput(f'There is no such method: choose {" or ".join(self.desks)}.')
        return self.desks[method]

    def _settings(self, desk: Desk, question: tuple) -> Settings:
        """What was chosen with the knobs that a desk has."""
        values = question[2 : 2 + len(self.knobs)]
        chosen = {
            name: _checked(knob, value)
            for (name, knob), value in zip(self.knobs.items(), values, strict=True)
            if _has(desk, name)
        }
        chosen['dynamic'] = chosen['dynamic'] and desk.inferencer.trained
        return replace(desk.inferencer.settings, **chosen)


def _has(desk: Desk, name: str) -> bool:
    return hasattr(desk.inferencer.settings, name)


def _knob(name: str, shown: Desk, owner: Desk) -> gr.Slider | gr.Checkbox:
    """The knob of a setting, as one desk sets it; visible if the desk shown has it."""
    value, visible = getattr(owner.inferencer.settings, name), _visible(name, shown)
    if name in FLAGS:
        return gr.Checkbox(value, label=FLAGS[name], visible=visible)
    low, high, step, label = SLIDERS[name]
    high = owner.num_blocks if high is None else high
    return gr.Slider(low, high, value, step=step, label=label, visible=visible)


def _visible(name: str, desk: Desk) -> bool:
    return _has(desk, name) and (name != 'dynamic' or desk.inferencer.trained)


def _label_image(label: str, name: str) -> gr.Image:
    return gr.Image(
        label=label, elem_id=name, interactive=False, format='png', buttons=['fullscreen']
    )


def _as_it_came(value: object) -> object:
    return value


def _checked(knob: gr.Slider | gr.Checkbox, value: Any) -> Any:
    """What was chosen with a knob.

    Raises:
        BadInput: If it cannot be chosen there.
    """
    if isinstance(knob, gr.Checkbox):
        check_flag(knob.label, value)
        return value
    interval = f'[{knob.minimum}, {knob.maximum}]'
    check_number(knob.label, value, interval)
    if knob.step != 1:
        return value
    whole = int(value) if value == int(value) else value
    check_whole(knob.label, whole, interval)
    return whole


def _index_of(event: gr.EventData) -> object:
    """Where was clicked, if the browser told."""
    try:
        return event.index
    except (AttributeError, TypeError):
        return None


def _point_of(index: Any, pixels: np.ndarray | None) -> Point:
    """The point of a click, in pixels of the picture as it was sent.

    Raises:
        BadInput: If the browser sent no point.
    """
    if pixels is None:
        raise BadInput('Choose a picture first.')
    try:
        x, y = (float(value) / enlargement(pixels) for value in index)
    except (TypeError, ValueError):
        x = y = math.nan
    if not (math.isfinite(x) and math.isfinite(y)):
        raise BadInput('This click has no place in the picture: click on it again.')
    return x, y


def _paragraph(text: str, kind: str) -> str:
    return f'<p class="{kind}" role="status">{html.escape(text)}</p>'


def _heading(title: str, remark: str) -> str:
    return f'<h2>{html.escape(title)} <small>{html.escape(remark)}</small></h2>'
