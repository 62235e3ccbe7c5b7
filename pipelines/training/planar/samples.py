"""Fresh scans of bodies that were taken apart: other uptakes, metastases, counts, places and noise every time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from operators.kernels.planar_input import WORKING_SHAPE, network_input
from operators.kernels.planar_regions.parts import PART_NUMBERS
from pipelines.training.monai_parts import Affine
from pipelines.training.planar.cases import ORGANS, Case

Random = np.random.Generator
_PARTNER = np.zeros(len(PART_NUMBERS) + 1, dtype=np.uint8)
for _part, _number in PART_NUMBERS.items():
    _PARTNER[_number] = PART_NUMBERS[_part.partner]


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """How far samples of one body differ. All are the project's own choices [P].

    Args:
        bone_log_sd, organ_log_sd, lesion_log_sd: of the log-normal factor of each part's uptake.
        healthy_share: of samples without metastases.
        decoy_chance: of each decoy of the body.
        kilocounts: least and most of the anterior view, drawn evenly in the logarithm.
        mirror_chance: of changing left and right, labels with them.
        turn_deg, move_px, stretch: largest rotation, shift and relative change of each axis' size.
        blur_px: largest sigma of a further blur, in working pixels.
        visible: a metastasis is labelled in a view where it adds this share of the counts in its shadow or more.
    """

    bone_log_sd: float
    organ_log_sd: float
    lesion_log_sd: float
    healthy_share: float
    decoy_chance: float
    kilocounts: tuple[float, ...]
    mirror_chance: float
    turn_deg: float
    move_px: float
    stretch: float
    blur_px: float
    visible: float

    def __post_init__(self) -> None:
        shares = (self.healthy_share, self.decoy_chance, self.mirror_chance, self.visible)
        if any(not 0.0 <= share <= 1.0 for share in shares):
            raise ValueError("shares and chances lie between 0 and 1")
        if len(self.kilocounts) != 2 or not 0.0 < self.kilocounts[0] <= self.kilocounts[1]:
            raise ValueError("kilocounts are the least and the most, above 0")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sample:
    """One scan with its truth; the first axis is (anterior, posterior), the posterior view mirrored.

    Args:
        views: float32 (2, channel, row, column), as the network takes them.
        parts: int64 (2, row, column): numbers of `PART_NUMBERS`, 0 where there is no bone.
        lesions: float32 (2, 1, row, column): 1 where a metastasis shows.
    """

    views: torch.Tensor
    parts: torch.Tensor
    lesions: torch.Tensor


def draw_sample(cases: Sequence[Case], *, augmentation: Augmentation, random: Random) -> Sample:
    """One sample; equal cases, augmentation and state of `random` give an equal one."""
    case = cases[int(random.integers(len(cases)))]
    expected, shown = _scan(case, augmentation, random)
    parts = case.parts
    if random.random() < augmentation.mirror_chance:
        expected, shown = expected[..., ::-1], shown[..., ::-1]
        parts = _PARTNER[parts[..., ::-1]]
    expected, labels = _placed(expected, np.stack([parts, shown.astype(np.uint8)]), augmentation, random)
    low, high = np.log(augmentation.kilocounts)
    total = 1000.0 * float(np.exp(random.uniform(low, high)))
    scale = total / max(float(expected[0].sum(dtype=np.float64)), 1.0)
    counts = random.poisson(np.maximum(expected * scale, 0.0)).astype(np.float32)
    return Sample(
        views=torch.from_numpy(np.stack([network_input(view) for view in counts])),
        parts=torch.from_numpy(labels[0].astype(np.int64)),
        lesions=torch.from_numpy(labels[1].astype(np.float32))[:, None],
    )


def _scan(case: Case, rule: Augmentation, random: Random) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Expected counts (2, row, column), and where metastases show."""
    spread = np.full(len(case.groups), rule.bone_log_sd)
    spread[len(PART_NUMBERS) : len(PART_NUMBERS) + len(ORGANS)] = rule.organ_log_sd
    body = _sum(case.groups, np.exp(random.normal(0.0, spread)))
    there = random.random(len(case.decoys)) < rule.decoy_chance
    factors = np.exp(random.normal(0.0, rule.lesion_log_sd, len(case.decoys)))
    body += _sum(case.decoys, np.where(there, factors, 0.0))
    weights = _lesion_weights(len(case.lesions), rule, random)
    shown = np.zeros(body.shape, dtype=np.bool_)
    whole = body + _sum(case.lesions, weights)
    for number in np.flatnonzero(weights):
        for view in range(2):
            shadow = case.shadows[number, view]
            added = weights[number] * float(case.lesions[number, view][shadow].sum(dtype=np.float32))
            if shadow.any() and added >= rule.visible * float(whole[view][shadow].sum(dtype=np.float32)):
                shown[view] |= shadow
    return np.maximum(whole, 0.0), shown


def _lesion_weights(count: int, rule: Augmentation, random: Random) -> npt.NDArray[np.float64]:
    """The factor of each metastasis, 0 for those that this sample has not; few are as likely as many."""
    weights = np.zeros(count)
    if count and random.random() >= rule.healthy_share:
        number = min(count, int(np.exp(random.uniform(0.0, np.log(count + 1)))))
        chosen = random.permutation(count)[:number]
        weights[chosen] = np.exp(random.normal(0.0, rule.lesion_log_sd, number))
    return weights


def _sum(images: npt.NDArray[np.float16], weights: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    total = np.zeros((2, *WORKING_SHAPE), dtype=np.float32)
    for image, weight in zip(images, weights, strict=True):
        if weight:
            total += np.float32(weight) * image
    return total


def _placed(
    expected: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8], rule: Augmentation, random: Random
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Turned, moved, stretched and blurred: (2, row, column) and labels (map, 2, row, column) alike."""
    turn = float(np.deg2rad(random.uniform(-rule.turn_deg, rule.turn_deg)))
    steps = [float(step) for step in random.uniform(-rule.move_px, rule.move_px, 2)]
    sizes = [float(factor) for factor in 1.0 + random.uniform(-rule.stretch, rule.stretch, 2)]

    def moved(maps: npt.NDArray[np.float32], mode: str) -> npt.NDArray[np.float32]:
        change = Affine(
            rotate_params=turn,
            translate_params=steps,
            scale_params=sizes,
            mode=mode,
            padding_mode="zeros",
            image_only=True,
        )
        return np.asarray(change(torch.from_numpy(np.ascontiguousarray(maps))), dtype=np.float32)

    image = moved(expected, "bilinear")
    sigma = float(random.uniform(0.0, rule.blur_px))
    if sigma > 0.0:
        image = ndimage.gaussian_filter(image, (0.0, sigma, sigma))
    flat = moved(labels.reshape(-1, *WORKING_SHAPE).astype(np.float32), "nearest")
    return image, np.rint(flat).astype(np.uint8).reshape(labels.shape)
