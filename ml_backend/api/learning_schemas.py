"""What the self-learning API takes and gives: past this module there are no untyped requests."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator
from typing_extensions import Self

from ml_backend.api.sent_values import MOMENT, Number, Tagged, Whole

#: Numbers beyond this fit no database.
LARGEST_ID = 2**63 - 1
#: Applications name contacts by numbers, UUIDs and the like; what leads elsewhere in an address names none.
CONTACT_ID = r"^[A-Za-z0-9_][A-Za-z0-9._:@+-]{0,199}$"
#: No page is wider.
LARGEST_PIXEL = 1_000_000
MOST_BLOCKS = 2000
_FIELD = r"^\S(.{0,98}\S)?$"
#: PostgreSQL keeps no such character.
_TEXT = r"^[^\x00]*$"

Identifier = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Share = Annotated[float, Field(ge=0, le=1)]
Pixel = Annotated[float, Number(-LARGEST_PIXEL, LARGEST_PIXEL)]
SentShare = Annotated[float, Number(0, 1)]
#: A block's name: a number or a text.
BlockName = Annotated[
    Annotated[int, Whole(-LARGEST_ID, LARGEST_ID)] | Annotated[str, Field(min_length=1, max_length=100, pattern=_TEXT)],
    Tagged(),
]
#: A contact's name in a body: it is given back as the type that it was sent as.
ContactName = Annotated[Annotated[int, Whole(0, LARGEST_ID)] | Annotated[str, Field(pattern=CONTACT_ID)], Tagged()]


class Incoming(BaseModel):
    """What is sent: nothing that is not known, so that a misspelt name is found at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Outgoing(BaseModel):
    """What is answered."""

    model_config = ConfigDict(frozen=True)


class Problem(Outgoing):
    """What went wrong, and what to do about it."""

    error: str
    hint: str


# Addresses


class ContactPath(Incoming):
    """Names a contact."""

    contact_id: str = Field(pattern=CONTACT_ID, description="The application's name of the contact.")


class RunPath(Incoming):
    """Names a training run."""

    run_id: Identifier


class VersionPath(Incoming):
    """Names a version."""

    version: int = Field(ge=0, le=2**31 - 1, description="The version's number; 0 for the weights that ship.")


class ProjectPath(Incoming):
    """Names a project."""

    project_id: Identifier


class ProjectQuery(Incoming):
    """Which project; without it the one of `make run`."""

    project_id: Identifier | None = None


class LimitQuery(ProjectQuery):
    """How many."""

    limit: int = Field(default=10, ge=1, le=1000)


class FeedbackQuery(ProjectQuery):
    """A page of feedback."""

    limit: int = Field(default=50, ge=1, le=500)
    before: Identifier | None = Field(default=None, description="`next` of the page before.")
    contact_id: str | None = Field(default=None, pattern=CONTACT_ID)


class PatternQuery(ProjectQuery):
    """Which corrections."""

    since: datetime | None = None
    until: datetime | None = None
    version: str | None = Field(default=None, max_length=200, pattern=_TEXT)
    field: str | None = Field(default=None, min_length=1, max_length=100, pattern=_TEXT)
    limit: int = Field(default=50, ge=1, le=500)


class ExtractQuery(ProjectQuery):
    """How to answer."""

    format: Literal["json", "vcard", "csv"] = "json"
    country: str | None = Field(
        default=None,
        pattern="^[A-Z]{2}$",
        description="Two capital letters: the country of numbers without a country code, such as DE. Without it the "
        "card tells it, else the project's other cards, else DEFAULT_COUNTRY.",
    )


# What is sent


class BoxIn(Incoming):
    """A box: its upper left corner, width and height in pixels of the upright image."""

    x: Pixel
    y: Pixel
    width: Pixel
    height: Pixel


Corners = tuple[Pixel, Pixel, Pixel, Pixel]


class BlockIn(Incoming):
    """A piece of text on an image, in pixels of the upright image."""

    block_id: BlockName | None = None
    text: Annotated[str, Field(max_length=10_000, pattern=_TEXT)] | None = Field(
        description="Null where there is none."
    )
    bbox: Annotated[Corners | BoxIn, Tagged()] = Field(
        description="Left, top, right, bottom; or x, y, width and height. Answers have the form that was sent."
    )
    field: str | None = Field(
        default=None,
        max_length=100,
        pattern=_TEXT,
        description="A label of the project, in capitals or not, or a synonym of one. Null or empty for none.",
    )
    page: Annotated[int, Whole(1, 10_000)] | None = Field(
        default=None, description="Which page of the document it is on; without it the first."
    )
    confidence: SentShare | None = Field(
        default=None, description="Accepted and not used: the models here make their own."
    )

    @property
    def edges(self) -> Corners:
        """Left, top, right, bottom in pixels."""
        if isinstance(self.bbox, BoxIn):
            return self.bbox.x, self.bbox.y, self.bbox.x + self.bbox.width, self.bbox.y + self.bbox.height
        return self.bbox


class ImageIn(Incoming):
    """An image in one of three ways, and what was read on it."""

    contact_id: ContactName | None = None
    image_base64: str | None = Field(
        default=None,
        min_length=1,
        description="In base64, usual or url-safe alphabet, with or without line breaks and padding, or a data URI.",
    )
    url: str | None = Field(default=None, min_length=1, max_length=2000)
    document: str | None = Field(
        default=None, min_length=1, max_length=300, description="Address of an image that came with feedback."
    )
    blocks: tuple[BlockIn, ...] | None = Field(default=None, max_length=MOST_BLOCKS)


class SendIn(ImageIn):
    """What a contact's task is made of; `contact_id` must be that of the address."""


class ExtractIn(ImageIn):
    """What a contact is read from."""


class SendForm(Incoming):
    """An image as an upload."""

    image: bytes = Field(json_schema_extra={"format": "binary"})
    blocks: str | None = Field(default=None, description="JSON: a list of blocks.")


class ImageForm(Incoming):
    """An image as an upload."""

    image: bytes = Field(json_schema_extra={"format": "binary"})


class FeedbackIn(Incoming):
    """What was read, and what it should be; without an image that of the contact's task is taken.

    `deleted_blocks` and `added_blocks` are taken out of, or added to, what it should be where they are not yet.
    """

    contact_id: ContactName | None = Field(default=None, description="That of the address.")
    timestamp: MOMENT | None = Field(default=None, description="When it was given; without a time zone in UTC.")
    original_blocks: tuple[BlockIn, ...] = Field(max_length=MOST_BLOCKS)
    corrected_blocks: tuple[BlockIn, ...] = Field(max_length=MOST_BLOCKS)
    deleted_blocks: tuple[BlockIn, ...] | None = Field(default=None, max_length=MOST_BLOCKS)
    added_blocks: tuple[BlockIn, ...] | None = Field(default=None, max_length=MOST_BLOCKS)
    model_version: str | None = Field(default=None, min_length=1, max_length=200, pattern=_TEXT)
    image_base64: str | None = Field(default=None, min_length=1, description="As in `ImageIn`.")


class InitIn(Incoming):
    """Which project."""

    title: str | None = Field(default=None, min_length=3, max_length=50, pattern=r"^\S.*\S$")


class CollectIn(Incoming):
    """How to collect."""

    write: StrictBool | None = Field(
        default=None, description="Write samples and images into TRAINING_DATA_DIR as well."
    )


class TrainIn(Incoming):
    """How to train."""

    force: StrictBool | None = Field(default=None, description="Train however few documents there are.")


class ReasonIn(Incoming):
    """Why."""

    reason: str | None = Field(default=None, max_length=500, pattern=_TEXT)


class ShareIn(Incoming):
    """The challenger's share of the tasks; null for that of CHALLENGER_SHARE."""

    share: SentShare | None


class FieldIn(Incoming):
    """A field of a project."""

    name: str = Field(pattern=_FIELD, max_length=100)
    aliases: tuple[Annotated[str, Field(pattern=r"^[^\s,]([^,]{0,98}[^\s,])?$")], ...] | None = Field(
        default=None, max_length=50
    )
    critical: StrictBool | None = Field(default=None, description="A document without it is sent to a person.")

    @model_validator(mode="after")
    def _is_printable(self) -> Self:
        if not all(name.isprintable() for name in (self.name, *(self.aliases or ()))):
            raise ValueError("a name must be printable")
        return self


# What is answered

_REASONS = (
    "Codes with what was measured, such as `low_avg_confidence: 0.62` or `missing_critical_fields: phone, email`."
)
_SHORT_CODES = "The same codes alone, such as `low_confidence` or `missing_fields`."
_REASON_TEXTS = "The same as English sentences."


class BoxOut(Outgoing):
    """A box: its upper left corner, width and height in pixels of the upright image."""

    x: float
    y: float
    width: float
    height: float


SentBox = list[float] | BoxOut
"""A box in the form in which the application sent its block."""


class LabelStudioOut(Outgoing):
    """How Label Studio is."""

    available: bool
    project_id: int | None
    total_tasks: int
    completed_tasks: int
    problem: str = ""


class ProgressOut(Outgoing):
    """How far a run is."""

    stage: str | None
    step: int | None
    steps: int | None
    share: float | None
    eta_seconds: float | None


class TrainingOut(Outgoing):
    """What there is to learn from."""

    total_training_samples: int
    new_samples: int
    ready_for_training: bool
    reason: str
    min_samples_required: int
    model_versions: int = Field(description="How many there are.")
    versions: list[str] = Field(description="Their names, newest first.")
    running: bool
    run_id: int | None
    progress: ProgressOut | None


class MeasuredOut(Outgoing):
    """How good a version is."""

    f1: float | None
    documents: int
    cost: float | None
    live_f1: float | None
    confidence: float | None


class VersionOut(Outgoing):
    """A version."""

    version: int
    name: str
    role: str
    created_at: datetime | None
    decision: str
    reason: str
    metrics: MeasuredOut
    tags: dict[str, str]


class LackingOut(Outgoing):
    """Open tasks that could not be predicted for one reason; they are tried again, more and more rarely."""

    reason: str
    tasks: int
    message: str = Field(description="What was said of the latest of them.")


class PredictionsOut(Outgoing):
    """How far a project's open tasks have predictions of the version that serves."""

    version: str
    open_tasks: int
    lacking: int = Field(description="Open tasks without one.")
    waiting: int = Field(description="Of these, such as will get one by themselves.")
    failures: list[LackingOut] = Field(description="Of these, such as could not be predicted.")
    problem: str = Field(description="Why none can be predicted: not_connected, label_config, version; else empty.")
    problem_text: str
    running: bool
    seconds_left: float = Field(description="About how long the waiting ones will take.")
    checked_at: datetime | None


class ProjectHeadOut(Outgoing):
    """What a project's documents have shown in seconds, on top of the version that serves."""

    documents: int = Field(description="Documents that it was fitted to.")
    used: bool = Field(description="Whether it names anything: not where it was measured to name worse.")
    f1_before: float | None = Field(description="F1 of words on documents left out, without it; null with too few.")
    f1_after: float | None = Field(description="The same with it.")
    fitted_at: datetime


class StatusOut(Outgoing):
    """How a project stands."""

    label_studio: LabelStudioOut
    training: TrainingOut
    champion: VersionOut | None
    problem: str = ""
    predictions: PredictionsOut | None = Field(
        description="How far the open tasks have predictions of the version that serves; null until somebody looked."
    )
    project_head: ProjectHeadOut | None = Field(
        description="What the corrected documents have shown in seconds; null where there are none."
    )


class InitOut(Outgoing):
    """What was found and done."""

    project_id: int
    model_version: str
    total_tasks: int
    predicted_tasks: int
    changes: list[str]
    waiting_tasks: int = Field(description="Tasks that get their prediction in the background.")
    seconds_left: float = Field(description="About how long that takes.")
    note: str


class SentOut(Outgoing):
    """A contact's task."""

    success: bool
    task_id: int
    contact_id: int | str
    created: bool


class RecommendationOut(Outgoing):
    """A document that a person should look at."""

    contact_id: int | str | None
    task_id: int
    priority: int
    confidence: float
    reasons: list[str] = Field(description=_REASONS)
    reason_codes: list[str] = Field(description=_SHORT_CODES)
    reason_texts: list[str] = Field(description=_REASON_TEXTS)


class RecommendationsOut(Outgoing):
    """The documents that people should look at first."""

    total_candidates: int
    recommendations: list[RecommendationOut]


class RunOut(Outgoing):
    """A training run."""

    run_id: int
    project_id: int
    state: str
    reason: str
    asked: bool
    documents: int
    attempt: int
    progress: ProgressOut | None
    loss: float | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    version: int | None
    decision: str | None
    message: str | None
    mlflow_run_id: str | None


class RunsOut(Outgoing):
    """Training runs, newest first."""

    runs: list[RunOut]


class TriggeredOut(Outgoing):
    """The run that will be, or is, made."""

    run_id: int
    state: str
    documents: int
    already: bool


class CollectedOut(Outgoing):
    """What collecting has found."""

    changed: int
    deleted: int
    from_feedback: int
    total_training_samples: int
    unusable: int
    written: int
    run_id: int | None


class TextCorrection(Outgoing):
    """A text that was changed."""

    block_id: int | str
    page: int
    original: str
    corrected: str
    bbox: SentBox


class FieldCorrection(Outgoing):
    """A field that was changed."""

    block_id: int | str
    page: int
    original_field: str | None
    corrected_field: str | None
    text: str


class MovedBlock(Outgoing):
    """A block that was moved."""

    block_id: int | str
    page: int
    bbox: SentBox


class WholeBlock(Outgoing):
    """A block that was added or deleted."""

    block_id: int | str
    page: int
    text: str
    field: str | None
    bbox: SentBox


class CorrectionsOut(Outgoing):
    """What was corrected, by kind."""

    text_corrections: list[TextCorrection]
    field_corrections: list[FieldCorrection]
    deleted_blocks: list[WholeBlock]
    added_blocks: list[WholeBlock]
    moved_blocks: list[MovedBlock]


class FeedbackOut(CorrectionsOut):
    """What was corrected, and what became of it."""

    feedback_id: int
    contact_id: int | str
    received_at: datetime
    timestamp: str = Field(description="When it was given, or else received, in UTC without a zone.")
    corrections: CorrectionsOut
    standing: Literal["training_data", "waiting", "corrections_only"]
    problem: str
    model_version: str | None
    document: str | None


class FeedbackPage(Outgoing):
    """A page of feedback, newest first."""

    total: int
    feedback: list[FeedbackOut]
    next: int | None


class NameOut(Outgoing):
    """A name in parts."""

    full: str
    prefix: str
    given: str
    additional: str
    family: str
    suffix: str


class ValueOut(Outgoing):
    """What all values of a card have: how sure it is, and where it stands, in pixels of the upright image."""

    text: str
    confidence: float
    bbox: list[float]
    boxes: list[list[float]]
    valid: bool
    page: int = Field(description="Which page of the document it is on, from 1.")


class TextOut(ValueOut):
    """A text."""

    field: str
    value: str


class PersonOut(ValueOut):
    """A person."""

    name: NameOut


class PhoneOut(ValueOut):
    """A number: `e164` is null where it cannot be dialled."""

    e164: str | None
    extension: str
    type: Literal["mobile", "work", "fax"]
    country: str | None


class EmailOut(ValueOut):
    """A mail address: null where it cannot be written to."""

    address: str | None


class WebsiteOut(ValueOut):
    """A page: null where it cannot be opened."""

    url: str | None


class VerdictOut(Outgoing):
    """Whether a person should look at a document: 3 is the most urgent priority, 0 need not be sent."""

    should_send: bool
    priority: int
    confidence: float
    reasons: list[str] = Field(description=_REASONS)
    reason_codes: list[str] = Field(description=_SHORT_CODES)
    reason_texts: list[str] = Field(description=_REASON_TEXTS)


class ContactOut(Outgoing):
    """What a card says of its owner; width and height are those of the first page."""

    width: int
    height: int
    page_sizes: list[tuple[int, int]] = Field(description="Width and height of each page, in pixels.")
    confidence: float
    model_version: str
    names: list[PersonOut]
    positions: list[TextOut]
    companies: list[TextOut]
    phones: list[PhoneOut]
    emails: list[EmailOut]
    websites: list[WebsiteOut]
    addresses: list[TextOut]
    others: list[TextOut]
    annotation: VerdictOut | None = None
    contact_id: int | str | None = Field(default=None, description="As the request's body gave it.")
    notes: list[str] = Field(
        default=[], description="What else is to be said of the pages: lines in a script that no model here reads."
    )


class VersionsOut(Outgoing):
    """Versions, newest first, and how tasks are shared."""

    versions: list[VersionOut]
    challenger_share: float
    serve_both: bool


class ServingOut(Outgoing):
    """The serving version, and the one before it."""

    version: int
    previous: int


class ShareOut(Outgoing):
    """The challenger's share of the tasks."""

    challenger_share: float


class PromotionOut(Outgoing):
    """A change of the version that serves."""

    version: int
    previous: int
    at: datetime
    by: str
    reason: str


class HistoryOut(Outgoing):
    """How versions did, oldest first, and who served since when, newest first."""

    versions: list[VersionOut]
    promotions: list[PromotionOut]


class FieldOut(Outgoing):
    """A field of a project."""

    name: str
    aliases: list[str]
    critical: bool


class FieldChangeOut(Outgoing):
    """What adding a field came to."""

    field: FieldOut
    changed: bool
    labels: list[str]


class FieldsOut(Outgoing):
    """The fields that were added."""

    fields: list[FieldOut]


class MisreadingOut(Outgoing):
    """Characters that were read as others."""

    read: str
    meant: str
    field: str
    script: str
    count: int


class ConfusionOut(Outgoing):
    """A field taken for another."""

    named: str
    meant: str
    count: int


class CountOut(Outgoing):
    """How often something happened to a field."""

    field: str
    count: int


class PeriodOut(Outgoing):
    """The corrections of a version or a week."""

    name: str
    documents: int
    corrections: dict[str, int]
    cost: float


class PatternsOut(Outgoing):
    """What corrections have in common."""

    documents: int
    corrections: dict[str, int]
    misreadings: list[MisreadingOut]
    misread_texts: float
    fields_confused: list[ConfusionOut]
    fields_added: list[CountOut]
    fields_deleted: list[CountOut]
    by_version: list[PeriodOut]
    by_week: list[PeriodOut]


class DescriptionOut(Outgoing):
    """The description of the API itself."""

    model_config = ConfigDict(frozen=True, extra="allow")

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]
