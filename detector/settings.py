"""Every knob, in one typed place.

A value is taken from, first found first used: the command line, environment variables
(``MATCHCUT_RATE=4``, nested with two underscores: ``MATCHCUT_COPY_CHANNEL__MIN_SCORE=0.7``), the
file ``matchcut.toml`` in the workspace, the defaults here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import platformdirs
from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from detector.decoding.records import Limits
from detector.inputs import PROTOCOLS, InputError, check_protocol
from detector.types import Channel, Mode
from index.vector_service import BUILD, INDEX, PATIENCE_S, SEARCH, VectorService

SETTINGS_FILE = "matchcut.toml"


class ScoreWeights(BaseModel):
    """How evidence adds up to a score; see `detector.matching.scoring`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    intercept: float
    similarity: float
    ordinary: float = 0.0
    agreement: float = 0.0
    seconds: float = 0.0  # of the natural logarithm
    confirmed: float = 0.0


class ChannelSettings(BaseModel):
    """Thresholds of one channel; similarities are cosines."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    floor: float = Field(
        description="Similarities below this are chance, and are not looked at.", ge=-1, le=1
    )
    aligned: float = Field(
        description="A frame speaks for a segment if its similarity is above this.", ge=-1, le=1
    )
    least_evidence: float = Field(
        description="Segments with fewer similarity-seconds above `aligned` are dropped.", ge=0
    )
    min_score: float = Field(
        description="Operating point: matches with a lower score are not reported.", ge=0, le=1
    )
    score: ScoreWeights = Field(description="Weights of a segment's evidence.")
    confirmed_score: ScoreWeights | None = Field(
        default=None,
        description="Weights where pictures were compared as well; None: they never are.",
    )
    verify_from: float = Field(
        default=0.02, description="Matches with a lower score are not looked at again.", ge=0, le=1
    )
    most_verified: int = Field(
        default=2, description="Segments of a match whose pictures are compared.", ge=0
    )


class LookAlikeSettings(BaseModel):
    """Thresholds of the semantic channel; see `detector.matching.look_alikes`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usual: float = Field(
        description="Similarity, a cosine, of a shot to the most similar one of a work that has "
        "nothing to do with it; where it is not known from enough other works.",
        ge=-1,
        le=1,
    )
    alike: float = Field(
        description="From this lift on a pair of shots counts: 0 is as ordinary, 1 the same.",
        ge=0,
        le=1,
    )
    alone: float = Field(description="A lift that is enough in a single pair of shots.", gt=0, le=1)
    min_score: float = Field(
        description="Operating point: matches with a lower score are not reported.", ge=0, le=1
    )


class FaceSettings(BaseModel):
    """Thresholds of the face channel; see `detector.matching.likeness`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_score: float = Field(
        description="Operating point: from this score on a face is likely the person's.", ge=0, le=1
    )
    resembles_from: float = Field(
        description="From this score on it resembles the person, which nothing acts on.", ge=0, le=1
    )


class MilvusSettings(BaseModel):
    """How a Milvus is used, if vectors are kept on one; see `index.vector_service`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: str = Field(
        default=INDEX, description="Kind of the collections' index, in Milvus' words."
    )
    build: dict[str, Any] = Field(default=dict(BUILD), description="Parameters of building it.")
    search: dict[str, Any] = Field(default=dict(SEARCH), description="Parameters of searching it.")
    replicas: int = Field(
        default=1,
        description="Copies in memory, each on a machine of its own, that share searches.",
        ge=1,
    )
    patience: float = Field(
        default=PATIENCE_S, description="Seconds to wait for a Milvus that does not answer.", ge=0
    )


# SSCD: unrelated frames of real clips stay under 0.30; takes in the same set-up reach 0.58, rarely
# 0.86; copies cropped to half the side have a median of 0.57, letterboxed ones of 0.86.
# The weights are from `scripts/calibrate` (2026-11-23, 598 segments of 672 uploads of two seeds, 32
# clips); under cross-validation no segment of a negative upload scored above 0.45. The operating
# point leaves room for worse: of one more seed, an inset of another take in a set-up had 0.76.
_COPY = ChannelSettings(
    floor=0.30,
    aligned=0.42,
    least_evidence=0.05,
    min_score=0.8,
    score=ScoreWeights(
        intercept=-4.31, similarity=4.82, ordinary=-1.94, agreement=10.25, seconds=1.02
    ),
    confirmed_score=ScoreWeights(
        intercept=-3.47,
        similarity=3.04,
        ordinary=-3.06,
        agreement=10.05,
        seconds=1.41,
        confirmed=0.86,
    ),
)
# The lifts are from `scripts/bench_semantic` with the copy descriptor in the place of CLIP (see the
# README); `usual` is from published experience with ViT-B-32, not measured here: two pictures of
# anything have about 0.5, of the same kind of scene 0.7 to 0.8. A match is only ever reviewed.
_SEMANTIC = LookAlikeSettings(usual=0.75, alike=0.2, alone=0.4, min_score=0.5)


# From `scripts/bench_faces`, see the README: strangers' distances are normal with deviation 0.95,
# the score counts on 1. 0.9 stands for one upload of strangers in 900 with a likely face in it.
_FACE = FaceSettings(min_score=0.9, resembles_from=0.2)


def _split(value: object) -> object:
    """Take names separated by commas apart."""
    return value.replace(",", " ").lower().split() if isinstance(value, str) else value


def _default_home() -> Path:
    return Path(platformdirs.user_data_dir("matchcut"))


def _default_key_file() -> Path:
    # Not in the workspace: who copies that, or its backup, is not to have the key with it.
    return Path(platformdirs.user_config_dir("matchcut")) / "people.key"


class Settings(BaseSettings):
    """The settings of one run."""

    model_config = SettingsConfigDict(
        env_prefix="MATCHCUT_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
        frozen=True,
        extra="ignore",
    )

    home: Path = Field(
        default_factory=_default_home,
        description="The workspace: catalogue, vectors, evidence.",
    )
    database_url: str | None = Field(
        None, description="SQLAlchemy URL of the catalogue; SQLite in the workspace if not set."
    )
    vectors: str | None = Field(
        None,
        description="milvus://[USER:PASSWORD@]HOST[:PORT][/DATABASE], where vectors are searched; "
        "FAISS files in the workspace if not set.",
    )
    milvus: MilvusSettings = Field(MilvusSettings(), description="How that is used.")
    evidence: str | None = Field(
        None,
        description="Where the desk keeps pictures of cases: a folder, or an address as "
        "s3://BUCKET/FOLDER; `evidence` in the workspace if not set.",
    )
    protocols: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        PROTOCOLS,
        description="Of addresses that are read, separated by commas; `http` and `https` are not "
        "among them unless they are added.",
    )
    channels: str = Field(
        "auto", description="`auto`, or channels by name, separated by commas: copy,semantic,face."
    )
    rate: float = Field(
        2.0, description="Frames sampled per second; short clips get more.", gt=0, le=30
    )
    mode: Mode = Field(
        Mode.THOROUGH,
        description="thorough: look at all sampled frames; fast: at every fourth, and at all where "
        "these resemble a work.",
    )
    suspicious: float = Field(
        0.35,
        description="Similarity to a work, less what any frame so ordinary may have, from which "
        "the mode `fast` looks closely.",
        ge=-1,
        le=1,
    )
    copy_model: Literal["sscd-distilled", "sscd"] = Field(
        "sscd-distilled", description="Descriptor of the copy channel."
    )
    copy_size: int = Field(
        288, description="Side to which the copy descriptor scales a frame.", ge=64, le=1024
    )
    semantic_model: str = Field(
        "ViT-B-32",
        description="open_clip architecture, or `local-dir:PATH` of a saved open_clip model.",
    )
    semantic_weights: str = Field(
        "laion2b_s34b_b79k", description="open_clip tag of its weights, or path of a checkpoint."
    )
    face_model: str = Field(
        "sface",
        description="`sface`, or path of another ONNX model of aligned faces of 112 pixels.",
    )
    face_cohort: Path | None = Field(
        None,
        description="Faces of other people, written by scripts/make_cohort; shipped for SFace.",
    )
    people_key: SecretStr | None = Field(
        None, description="Key of the enrolled faces: 32 bytes in base64; else `people_key_file`."
    )
    people_key_file: Path = Field(
        default_factory=_default_key_file,
        description="File with that key; made when the first person is enrolled.",
    )
    neighbours: int = Field(
        64, description="Nearest reference frames looked up per frame of an upload.", ge=1, le=2048
    )
    max_candidates: int = Field(
        20, description="Works per upload and channel that are aligned.", ge=1
    )
    ordinary: float = Field(
        0.15,
        description="Similarity to ordinary footage that any frame may have; more counts against "
        "the works it resembles.",
    )
    parts: bool = Field(
        True,
        description="Look for footage in parts of an upload's pictures (insets, split screens).",
    )
    part_similarity: float = Field(
        0.4,
        description="Similarity of what may be such a part to a work from which it is looked at; "
        "1: never.",
        ge=-1,
        le=1,
    )
    negative_similarity: float = Field(
        0.5,
        description="Similarity of a frame's negative to a work from which all are looked at; 1: "
        "never.",
        ge=-1,
        le=1,
    )
    keep_days: float = Field(
        30.0,
        description="Days for which it is kept what the channels of works saw in an upload (faces "
        "never are), to match it with works that are protected later; 0: not at all.",
        ge=0,
    )
    limits: Limits = Field(
        Limits(), description="What reading one file may cost; see `detector.decoding.records`."
    )
    trust_list: Path | None = Field(
        None,
        description="PEM file of certificates whose owners are trusted to sign content credentials "
        "(C2PA).",
    )
    review_upload_limit: ByteSize = Field(
        ByteSize(2 << 30),
        description="What is given to the desk at a time, in the browser or the API: `8GiB`.",
        gt=0,
    )
    copy_channel: ChannelSettings = Field(_COPY, description="Thresholds of the copy channel.")
    semantic_channel: LookAlikeSettings = Field(
        _SEMANTIC, description="Thresholds of the semantic channel."
    )
    face_channel: FaceSettings = Field(_FACE, description="Thresholds of the face channel.")

    def channel(self, channel: Channel) -> ChannelSettings | LookAlikeSettings:
        """Return the thresholds of a channel that works are matched in."""
        return self.copy_channel if channel is Channel.COPY else self.semantic_channel

    @model_validator(mode="after")
    def _evidence_can_be_written(self) -> Self:
        address = self.evidence or ""
        if address.lower().startswith(("http://", "https://")):
            raise ValueError(f"no evidence can be written to {address}: name a bucket or a folder")
        if "://" in address:
            try:
                check_protocol(address, self.protocols)
            except InputError as error:
                raise ValueError(str(error)) from error
        return self

    @property
    def vector_service(self) -> VectorService | None:
        """Where vectors are searched, if not in the workspace.

        Raises
        ------
        VectorServiceError
            `vectors` is no address of such a service.
        """
        if not self.vectors:
            return None
        how = self.milvus
        return VectorService(
            self.vectors, how.index, how.build, how.search, how.replicas, how.patience
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        home = init_settings().get("home") or os.environ.get("MATCHCUT_HOME") or _default_home()
        toml = TomlConfigSettingsSource(settings_cls, Path(home) / SETTINGS_FILE)
        return init_settings, env_settings, toml


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; an override that is None leaves the value to the other sources."""
    return Settings(**{name: value for name, value in overrides.items() if value is not None})
