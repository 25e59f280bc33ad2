"""What services return, as the self-learning API says it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timezone
from typing import Any

from active_learning.criteria import Verdict
from active_learning.reasons import coded, explain, short_code
from ml_backend.api import learning_schemas as out
from ml_backend.contacts.contact import Contact, Found
from ml_backend.learn.blocks import TextBlock, box_with_size
from ml_backend.learn.feedback import FeedbackResult
from ml_backend.learn.status import Status, TrainingState, VersionState
from ml_backend.predict.serving_models import SHIPPED
from ml_backend.quality.patterns import PatternReport, Period
from ml_backend.store.coverage import Coverage
from ml_backend.store.project_heads import StoredHead
from ml_backend.store.records import Correction
from ml_backend.store.runs import Promotion, Run
from model.document.types import PageNote


def status_out(found: Status) -> out.StatusOut:
    """Say how a project stands."""
    state = found.label_studio
    return out.StatusOut(
        label_studio=out.LabelStudioOut(
            available=state.available,
            project_id=found.project_id,
            total_tasks=state.total_tasks,
            completed_tasks=state.completed_tasks,
            problem=state.problem,
        ),
        training=_training(found.training),
        champion=None if found.champion is None else version_out(found.champion),
        problem=found.registry_problem,
        predictions=None if found.coverage is None else _predictions(found.coverage),
        project_head=None if found.head is None else _project_head(found.head),
    )


def _project_head(head: StoredHead) -> out.ProjectHeadOut:
    return out.ProjectHeadOut(
        documents=head.documents,
        used=head.used,
        f1_before=None if head.before is None else round(head.before, 4),
        f1_after=None if head.after is None else round(head.after, 4),
        fitted_at=head.fitted_at,
    )


def _predictions(coverage: Coverage) -> out.PredictionsOut:
    return out.PredictionsOut(
        version=coverage.version,
        open_tasks=coverage.open_tasks,
        lacking=coverage.lacking,
        waiting=coverage.waiting,
        failures=[
            out.LackingOut(reason=reason, tasks=group.count, message=str(group.message))
            for reason, group in coverage.failures.items()
        ],
        problem=coverage.problem,
        problem_text=str(coverage.problem_text),
        running=coverage.running,
        seconds_left=round(coverage.seconds_left, 1),
        checked_at=coverage.checked_at,
    )


def _training(state: TrainingState) -> out.TrainingOut:
    run = state.run if state.running else None
    return out.TrainingOut(
        total_training_samples=state.samples,
        new_samples=state.changed,
        ready_for_training=state.ready,
        reason=state.reason,
        min_samples_required=state.required,
        model_versions=len(state.versions),
        versions=list(state.versions),
        running=state.running,
        run_id=None if state.run is None else state.run.id,
        progress=None if run is None else _progress(run),
    )


def version_out(state: VersionState) -> out.VersionOut:
    """Say what a version is."""
    measured = state.measured
    return out.VersionOut(
        version=state.number,
        name=state.name,
        role=state.role,
        created_at=state.created_at,
        decision=state.decision,
        reason=state.reason,
        metrics=out.MeasuredOut(
            f1=measured.f1,
            documents=measured.documents,
            cost=measured.cost,
            live_f1=measured.live_f1,
            confidence=measured.confidence,
        ),
        tags=dict(state.tags),
    )


def run_out(run: Run) -> out.RunOut:
    """Say how a run is."""
    return out.RunOut(
        run_id=run.id,
        project_id=run.project_id,
        state=run.state,
        reason=run.reason,
        asked=run.asked,
        documents=run.documents,
        attempt=run.attempt,
        progress=_progress(run) if run.stage else None,
        loss=run.loss,
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        version=run.version,
        decision=run.decision,
        message=run.message,
        mlflow_run_id=run.mlflow_run_id,
    )


def _progress(run: Run) -> out.ProgressOut:
    share = min(1.0, (run.step or 0) / run.steps) if run.steps else None
    return out.ProgressOut(stage=run.stage, step=run.step, steps=run.steps, share=share, eta_seconds=run.eta_seconds)


def promotion_out(promotion: Promotion) -> out.PromotionOut:
    """Return a promotion as the API gives it."""
    return out.PromotionOut(
        version=promotion.version or SHIPPED,
        previous=promotion.previous or SHIPPED,
        at=promotion.at,
        by=promotion.by,
        reason=promotion.reason,
    )


def feedback_out(taken: FeedbackResult) -> out.FeedbackOut:
    """Say what was corrected, and what became of it."""
    feedback = taken.feedback
    of_kind: dict[str, list[Correction]] = {}
    for item in feedback.corrections:
        of_kind.setdefault(item.kind, []).append(item)
    sent = {
        block.id: block
        for side in (feedback.original, feedback.corrected)
        for block in (TextBlock.of_record(record) for record in side)
    }

    def name(item: Correction) -> int | str:
        return sent[item.region_id].sent_id if item.region_id in sent else item.region_id

    def box(item: Correction) -> list[float] | out.BoxOut:
        if item.box is not None and item.region_id in sent and sent[item.region_id].sized:
            return out.BoxOut(**box_with_size(item.box))
        return list(item.box or ())

    corrections = out.CorrectionsOut(
        text_corrections=[
            out.TextCorrection(
                block_id=name(item),
                page=item.item_index + 1,
                original=item.text_before or "",
                corrected=item.text_after or "",
                bbox=box(item),
            )
            for item in of_kind.get("text", ())
        ],
        field_corrections=[
            out.FieldCorrection(
                block_id=name(item),
                page=item.item_index + 1,
                original_field=item.field_before,
                corrected_field=item.field_after,
                text=item.text_after or "",
            )
            for item in of_kind.get("field", ())
        ],
        deleted_blocks=[
            out.WholeBlock(
                block_id=name(item),
                page=item.item_index + 1,
                text=item.text_before or "",
                field=item.field_before,
                bbox=box(item),
            )
            for item in of_kind.get("deleted", ())
        ],
        added_blocks=[
            out.WholeBlock(
                block_id=name(item),
                page=item.item_index + 1,
                text=item.text_after or "",
                field=item.field_after,
                bbox=box(item),
            )
            for item in of_kind.get("added", ())
        ],
        moved_blocks=[
            out.MovedBlock(block_id=name(item), page=item.item_index + 1, bbox=box(item))
            for item in of_kind.get("moved", ())
        ],
    )
    said_at = (feedback.said_at or feedback.received_at).astimezone(timezone.utc)
    return out.FeedbackOut(
        feedback_id=feedback.id,
        contact_id=feedback.sent_id,
        received_at=feedback.received_at,
        timestamp=said_at.replace(tzinfo=None).isoformat(timespec="seconds"),
        corrections=corrections,
        standing=taken.standing,
        problem=taken.problem,
        model_version=feedback.model_version,
        document=feedback.image,
        **{kind: getattr(corrections, kind) for kind in out.CorrectionsOut.model_fields},
    )


def patterns_out(report: PatternReport) -> out.PatternsOut:
    """Say what corrections have in common."""
    return out.PatternsOut(
        documents=report.documents,
        corrections=dict(report.kinds),
        misreadings=[
            out.MisreadingOut(read=one.read, meant=one.meant, field=one.field, script=one.script, count=one.count)
            for one in report.misreadings
        ],
        misread_texts=report.misread_texts,
        fields_confused=[
            out.ConfusionOut(named=one.named, meant=one.meant, count=one.count) for one in report.confusions
        ],
        fields_added=[out.CountOut(field=one.field, count=one.count) for one in report.added],
        fields_deleted=[out.CountOut(field=one.field, count=one.count) for one in report.deleted],
        by_version=_periods(report.by_version),
        by_week=_periods(report.by_week),
    )


def _periods(periods: Iterable[Period]) -> list[out.PeriodOut]:
    return [
        out.PeriodOut(name=one.name, documents=one.documents, corrections=dict(one.corrections), cost=one.cost)
        for one in periods
    ]


def verdict_out(verdict: Verdict) -> out.VerdictOut:
    """Say whether a person should look."""
    return out.VerdictOut(
        should_send=verdict.priority > 0,
        priority=verdict.priority,
        confidence=verdict.confidence,
        reasons=[coded(reason) for reason in verdict.reasons],
        reason_codes=[short_code(reason) for reason in verdict.reasons],
        reason_texts=[explain(reason) for reason in verdict.reasons],
    )


def contact_out(
    contact: Contact,
    verdict: Verdict | None = None,
    contact_id: int | str | None = None,
    notes: Iterable[PageNote] = (),
) -> out.ContactOut:
    """Say what a card says of its owner, and whether a person should look at it."""
    return out.ContactOut(
        annotation=None if verdict is None else verdict_out(verdict),
        contact_id=contact_id,
        width=contact.width,
        height=contact.height,
        page_sizes=list(contact.sizes),
        confidence=contact.confidence,
        model_version=contact.model_version,
        names=[
            out.PersonOut(
                name=out.NameOut(
                    full=one.value.full,
                    prefix=one.value.prefix,
                    given=one.value.given,
                    additional=one.value.additional,
                    family=one.value.family,
                    suffix=one.value.suffix,
                ),
                **_value(one),
            )
            for one in contact.names
        ],
        positions=_texts(contact.positions),
        companies=_texts(contact.companies),
        phones=[
            out.PhoneOut(
                e164=one.value.e164,
                extension=one.value.extension,
                type=one.value.kind,
                country=one.value.country,
                **_value(one),
            )
            for one in contact.phones
        ],
        emails=[out.EmailOut(address=one.value.address, **_value(one)) for one in contact.emails],
        websites=[out.WebsiteOut(url=one.value.url, **_value(one)) for one in contact.websites],
        addresses=_texts(contact.addresses),
        others=_texts(contact.others),
        notes=[str(note.sentence) for note in notes],
    )


def _texts(found: Iterable[Found[str]]) -> list[out.TextOut]:
    return [out.TextOut(field=one.field, value=one.value, **_value(one)) for one in found]


def _value(found: Found[Any]) -> dict[str, Any]:
    boxes = [[box.x0, box.y0, box.x1, box.y1] for box in found.boxes]
    around = [min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)]
    return {
        "text": found.text,
        "confidence": found.confidence,
        "bbox": around,
        "boxes": boxes,
        "valid": found.valid,
        "page": found.page,
    }
