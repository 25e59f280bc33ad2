"""The store's tables. A change here goes with a migration in ``migrations/versions``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite counts rows by itself only where the key is exactly INTEGER.
_RowId = BigInteger().with_variant(Integer, "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: SQLite forgets the time zone, so it is taken off before and put on after."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware moment into UTC without a zone."""
        return None if value is None else value.astimezone(timezone.utc).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say that what was stored is UTC."""
        return None if value is None else value.replace(tzinfo=timezone.utc)


class Base(DeclarativeBase):
    """All tables."""


class EventRow(Base):
    """One event as Label Studio sent it; nothing is lost in parsing.

    ``duplicate_of`` points to an equal event that came shortly before: a project with two webhooks to this backend
    sends each event twice. ``processed_at`` is set by the job that has learned from it.
    """

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(_RowId, primary_key=True, autoincrement=True)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    action: Mapped[str] = mapped_column(String(64))
    project_id: Mapped[int | None] = mapped_column(BigInteger)
    task_ids: Mapped[list[int]] = mapped_column(JSON)
    annotation_ids: Mapped[list[int]] = mapped_column(JSON)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    payload_hash: Mapped[str] = mapped_column(String(64))
    duplicate_of: Mapped[int | None] = mapped_column(ForeignKey("events.id", name="events_duplicate_of"))
    processed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("events_by_hash", "payload_hash", "received_at"),
        Index("events_open", "project_id", "processed_at", "id"),
    )


class PageRow(Base):
    """What an engine read on an image, by the image's content and the engine's version."""

    __tablename__ = "pages"

    image_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    engine_version: Mapped[str] = mapped_column(String(200), primary_key=True)
    page: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ProjectRow(Base):
    """What is known of a project: how far its annotations were brought over, and which version serves it.

    ``cursor`` is the latest ``updated_at`` of an annotation seen, as Label Studio wrote it; ``compared_at`` is when all
    numbers of annotations were last compared, which is how deletions are found. ``rescored_version`` is the model
    version whose predictions all open tasks had when they were last finished. ``predict_at`` is when the open tasks
    are next looked at for missing predictions; ``None`` stands for now.
    """

    __tablename__ = "projects"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    synced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cursor: Mapped[str | None] = mapped_column(String(40))
    compared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    pinned_version: Mapped[int | None] = mapped_column(Integer)
    rescored_version: Mapped[str | None] = mapped_column(String(200))
    sync_asked: Mapped[bool] = mapped_column(default=False)
    predict_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AnnotationRow(Base):
    """A person's result for one task, as it stands in Label Studio, or as it came in from elsewhere.

    ``id`` is Label Studio's; what came from elsewhere counts downwards from -1. ``digest`` tells whether anything that
    can be learned has changed. ``prediction`` is the very prediction that the person started from, ``cost`` the
    corrections that it needed; both are ``None`` where the person started from nothing. ``problem`` says why its
    regions cannot be used, ``page_problem`` why the page below them cannot.
    """

    __tablename__ = "annotations"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    project_id: Mapped[int] = mapped_column(BigInteger)
    task_id: Mapped[int] = mapped_column(BigInteger)
    completed_by: Mapped[int | None] = mapped_column(BigInteger)
    result: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    was_cancelled: Mapped[bool] = mapped_column()
    ground_truth: Mapped[bool] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    prediction: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    model_version: Mapped[str | None] = mapped_column(String(200))
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    digest: Mapped[str] = mapped_column(String(64))
    cost: Mapped[int | None] = mapped_column(Integer)
    problem: Mapped[str | None] = mapped_column(Text)
    page_problem: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(16))
    task_data: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = (Index("annotations_by_task", "project_id", "task_id"),)


class CorrectionRow(Base):
    """One difference between an annotation and the prediction that it started from; ``item_index`` is its page."""

    __tablename__ = "corrections"

    id: Mapped[int] = mapped_column(_RowId, primary_key=True, autoincrement=True)
    annotation_id: Mapped[int] = mapped_column(
        ForeignKey("annotations.id", name="corrections_annotation", ondelete="CASCADE")
    )
    kind: Mapped[str] = mapped_column(String(16))
    region_id: Mapped[str] = mapped_column(String(200))
    field_before: Mapped[str | None] = mapped_column(Text)
    field_after: Mapped[str | None] = mapped_column(Text)
    text_before: Mapped[str | None] = mapped_column(Text)
    text_after: Mapped[str | None] = mapped_column(Text)
    box: Mapped[list[float] | None] = mapped_column(JSON(none_as_null=True))
    item_index: Mapped[int] = mapped_column(Integer, server_default="0")

    __table_args__ = (Index("corrections_by_annotation", "annotation_id"),)


class RunRow(Base):
    """One training run; a project never has two that are due, nor two that run."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(_RowId, primary_key=True, autoincrement=True)
    project_id: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    asked: Mapped[bool] = mapped_column()
    stage: Mapped[str | None] = mapped_column(String(32))
    step: Mapped[int | None] = mapped_column(Integer)
    steps: Mapped[int | None] = mapped_column(Integer)
    loss: Mapped[float | None] = mapped_column(Double)
    eta_seconds: Mapped[float | None] = mapped_column(Double)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    learned_up_to: Mapped[str] = mapped_column(String(64))
    documents: Mapped[int] = mapped_column(Integer)
    attempt: Mapped[int] = mapped_column(Integer)
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int | None] = mapped_column(Integer)
    decision: Mapped[str | None] = mapped_column(String(16))
    message: Mapped[str | None] = mapped_column(Text)
    mlflow_run_id: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        Index("runs_by_project", "project_id", "id"),
        *(
            Index(
                f"runs_one_{state}",
                "project_id",
                unique=True,
                sqlite_where=text(f"state = '{state}'"),
                postgresql_where=text(f"state = '{state}'"),
            )
            for state in ("due", "running")
        ),
    )


class LearnedRow(Base):
    """One document that a run has learned from, and the state that it was in.

    Kept for the run in progress and for the last finished one of each project: what has changed since is the difference
    between these rows and the annotations.
    """

    __tablename__ = "learned"

    run_id: Mapped[int] = mapped_column(
        _RowId, ForeignKey("runs.id", name="learned_run", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(64))


class PromotionRow(Base):
    """One change of the version that serves a project; ``None`` stands for the weights that ship."""

    __tablename__ = "promotions"

    id: Mapped[int] = mapped_column(_RowId, primary_key=True, autoincrement=True)
    project_id: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int | None] = mapped_column(Integer)
    previous: Mapped[int | None] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text)

    __table_args__ = (Index("promotions_by_project", "project_id", "id"),)


class TaskImageRow(Base):
    """Which file a task's image had when it was last fetched, so that its reading is found without fetching it.

    ``item_index`` counts the pages of a list, from 0.
    """

    __tablename__ = "task_images"

    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    image: Mapped[str] = mapped_column(String(200), primary_key=True)
    item_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    url: Mapped[str] = mapped_column(Text)
    image_key: Mapped[str] = mapped_column(String(64))


class RescoringRow(Base):
    """How far a project's open tasks were predicted by a version.

    ``started_at``, ``finished_at`` and ``pushed`` are about the latest batch of tasks. ``open_tasks`` and ``lacking``
    are how many open tasks Label Studio had at ``checked_at`` and how many of these lacked the version's prediction,
    less what was pushed since. ``problem`` is why none of them can be predicted, in one word.
    """

    __tablename__ = "rescorings"

    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[str] = mapped_column(String(200))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    pushed: Mapped[int] = mapped_column(Integer)
    open_tasks: Mapped[int] = mapped_column(Integer, default=0)
    lacking: Mapped[int] = mapped_column(Integer, default=0)
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str | None] = mapped_column(String(32))
    problem_text: Mapped[str | None] = mapped_column(Text)


class TaskFailureRow(Base):
    """An open task that could not be predicted, why (``reason`` in one word), and when it is tried again."""

    __tablename__ = "task_failures"

    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(String(32))
    message: Mapped[str] = mapped_column(Text)
    tries: Mapped[int] = mapped_column(Integer)
    failed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    retry_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PanelActionRow(Base):
    """Something that a person has set going from the panel; ``key`` is that of the form, which counts once."""

    __tablename__ = "panel_actions"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    project_id: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    alive_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[list[dict[str, Any]]] = mapped_column(JSON)

    __table_args__ = (Index("panel_actions_by_project", "project_id", "started_at"),)


class PanelLogoutRow(Base):
    """A session of the panel that its visitor has ended; ``session`` is the SHA-256 of its id."""

    __tablename__ = "panel_logouts"

    session: Mapped[str] = mapped_column(String(64), primary_key=True)
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ContactRow(Base):
    """A contact of an application that owns the documents, and the task that shows its image.

    The row is written before the task is made, so that two requests for one contact make one task; ``task_id`` is
    ``None`` until then. ``as_text`` says that the application wrote the contact's name as a text, though it looks like
    a number.
    """

    __tablename__ = "contacts"

    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    contact_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    task_id: Mapped[int | None] = mapped_column(BigInteger)
    claimed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    as_text: Mapped[bool] = mapped_column(Boolean, server_default=false(), default=False)

    __table_args__ = (Index("contacts_by_task", "project_id", "task_id"),)


class FeedbackRow(Base):
    """What an application says of a contact: blocks as they were read and as they should be.

    ``corrections`` are the differences. ``image`` is the address of the image that came along; ``annotation_id`` is the
    annotation that was made of it all, ``problem`` why there is none. ``as_text`` is as in :class:`ContactRow`;
    ``said_at`` is when the application says that it was given.
    """

    __tablename__ = "feedback"

    id: Mapped[int] = mapped_column(_RowId, primary_key=True, autoincrement=True)
    project_id: Mapped[int] = mapped_column(BigInteger)
    contact_id: Mapped[str] = mapped_column(String(200))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    original: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    corrected: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    corrections: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    model_version: Mapped[str | None] = mapped_column(String(200))
    image: Mapped[str | None] = mapped_column(Text)
    annotation_id: Mapped[int | None] = mapped_column(BigInteger)
    problem: Mapped[str | None] = mapped_column(Text)
    as_text: Mapped[bool] = mapped_column(Boolean, server_default=false(), default=False)
    said_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("feedback_by_project", "project_id", "id"),)


class ProjectFieldRow(Base):
    """A field that a project has added: what else it is called, and whether a document without it must be looked at."""

    __tablename__ = "project_fields"

    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    aliases: Mapped[list[str]] = mapped_column(JSON)
    critical: Mapped[bool] = mapped_column(default=False)


class ProjectOptionsRow(Base):
    """What else is kept of a project: its labelling configuration as last seen, and what a person has set.

    ``challenger_share`` is the challenger's share of the tasks; ``None`` where the setting counts.
    """

    __tablename__ = "project_options"

    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    label_config: Mapped[str | None] = mapped_column(Text)
    challenger_share: Mapped[float | None] = mapped_column(Double)


class TaskScoreRow(Base):
    """What the models say of a task, in short, and where that puts it in the order.

    ``embedding`` holds float16 numbers, least significant byte first; that of an annotated task is kept up to date, so
    that its ``embedding_version`` may be newer than the version of the signals. ``acquisition`` is the expected
    number of corrections, ``place`` the place in the order, from 0; both are ``None`` until the task is put into an
    order. ``shown_score`` is the score of the prediction ``prediction_id`` in Label Studio, as far as is known.
    ``naming`` is the stamp of the project's own naming that made the prediction, empty for none.
    """

    __tablename__ = "task_scores"

    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[str] = mapped_column(String(200))
    confidence: Mapped[float] = mapped_column(Double)
    signals: Mapped[dict[str, Any]] = mapped_column(JSON)
    embedding: Mapped[bytes | None] = mapped_column(LargeBinary)
    embedding_version: Mapped[str | None] = mapped_column(String(200))
    scored_at: Mapped[datetime] = mapped_column(UtcDateTime)
    acquisition: Mapped[float | None] = mapped_column(Double)
    place: Mapped[int | None] = mapped_column(Integer)
    control: Mapped[bool] = mapped_column(default=False)
    prediction_id: Mapped[int | None] = mapped_column(BigInteger)
    shown_score: Mapped[float | None] = mapped_column(Double)
    naming: Mapped[str] = mapped_column(String(32), server_default="", default="")

    __table_args__ = (Index("task_scores_by_time", "project_id", "scored_at"),)


class TaskOrderRow(Base):
    """How a project's open tasks were last put into order, and ``reason``, why in this way."""

    __tablename__ = "task_orders"

    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[str] = mapped_column(String(200))
    strategy: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(Text)
    ordered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tasks: Mapped[int] = mapped_column(Integer)
    annotated: Mapped[int] = mapped_column(Integer)
    moved: Mapped[int] = mapped_column(Integer)


class ProjectHeadRow(Base):
    """The small model of a project: what its annotated documents have shown, on top of ``version``.

    ``fingerprint`` names what it was fitted to, ``stamp`` what it says. ``before`` and ``after`` are F1 on documents
    left out, without it and with it; ``None`` where there were too few.
    """

    __tablename__ = "project_heads"

    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[str] = mapped_column(String(200))
    fingerprint: Mapped[str] = mapped_column(String(64))
    stamp: Mapped[str] = mapped_column(String(32))
    documents: Mapped[int] = mapped_column(Integer)
    used: Mapped[bool] = mapped_column()
    before: Mapped[float | None] = mapped_column(Double)
    after: Mapped[float | None] = mapped_column(Double)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    fitted_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LabelSuspectRow(Base):
    """An annotated task whose labels may be wrong; ``digest`` is that of the annotation that was looked at."""

    __tablename__ = "label_suspects"

    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    annotation_id: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(200))
    suspicion: Mapped[float] = mapped_column(Double)
    details: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)
