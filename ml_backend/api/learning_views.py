"""What each route of the self-learning API does: one service called, one answer made."""

from __future__ import annotations

from datetime import timezone
from typing import TYPE_CHECKING

from pydantic import BaseModel

from active_learning.reasons import coded, short_code
from ml_backend.api import learning_answers as say
from ml_backend.api import learning_schemas as out
from ml_backend.api.learning_requests import (
    Call,
    blocks_of,
    blocks_of_text,
    contact_as_text,
    corrected_blocks,
    decoded,
)
from ml_backend.api.services import SelfLearning
from ml_backend.contacts.sending import SentImage
from ml_backend.contacts.spreadsheet import to_csv
from ml_backend.contacts.vcard import to_vcard
from ml_backend.errors import RequestError
from ml_backend.store.coverage import USUAL_SECONDS
from ml_backend.store.options import CustomField

if TYPE_CHECKING:
    from datetime import datetime

Answer = tuple[int, BaseModel | tuple[str, str]]
"""A status, and what is said: a model, or a content type and a text."""

VCARD, CSV = "text/vcard; charset=utf-8", "text/csv; charset=utf-8"


class Views:
    """The handlers; each takes a checked request.

    Args:
        services: What they call.
        share: CHALLENGER_SHARE.
        both: SERVE_BOTH.
    """

    def __init__(self, services: SelfLearning, *, share: float, both: bool) -> None:
        self._services = services
        self._share = share
        self._both = both

    def status(self, call: Call) -> Answer:
        """Say how the project stands."""
        services = self._services
        return 200, say.status_out(services.statuses.status(services.projects.find(call.query.project_id)))

    def init(self, call: Call) -> Answer:
        """Make or repair the project."""
        report = self._services.initialiser.initialise(call.query.project_id, title=call.body.title)
        return 200, out.InitOut(
            project_id=report.project_id,
            model_version=report.model_version,
            total_tasks=report.tasks,
            predicted_tasks=report.predicted,
            changes=list(report.changes),
            waiting_tasks=report.waiting,
            seconds_left=report.waiting * USUAL_SECONDS,
            note=str(report.said_of_waiting()),
        )

    def send(self, call: Call) -> Answer:
        """Make a contact's task."""
        if call.body is not None:
            body: out.SendIn = call.body
            image, sent = _sent_image(body), body.blocks
            as_text = contact_as_text(call.path.contact_id, body.contact_id)
        else:
            image, sent, as_text = SentImage(call.image), blocks_of_text(call.blocks), None
        blocks = None if sent is None else blocks_of(sent, "blocks")
        contact = call.path.contact_id
        done = self._services.sender.send(self._project(call), contact, image, blocks, as_text=as_text)
        answer = out.SentOut(success=True, task_id=done.task_id, contact_id=done.contact_id, created=done.created)
        return 201 if done.created else 200, answer

    def recommendations(self, call: Call) -> Answer:
        """Say what to look at first."""
        recommender = self._services.recommender
        if recommender is None:
            return 200, out.RecommendationsOut(total_candidates=0, recommendations=[])
        found = recommender.recommendations(self._project(call), call.query.limit)
        return 200, out.RecommendationsOut(
            total_candidates=found.total_candidates,
            recommendations=[
                out.RecommendationOut(
                    contact_id=one.contact_id,
                    task_id=one.task_id,
                    priority=one.priority,
                    confidence=one.confidence,
                    reasons=[coded(reason) for reason in one.reasons],
                    reason_codes=[short_code(reason) for reason in one.reasons],
                    reason_texts=list(one.words),
                )
                for one in found.items
            ],
        )

    def collect(self, call: Call) -> Answer:
        """Bring annotations and feedback over."""
        found = self._services.learning.collect(self._project(call), write=bool(call.body.write))
        return 200, out.CollectedOut(
            changed=found.changed,
            deleted=found.deleted,
            from_feedback=found.feedback,
            total_training_samples=found.samples,
            unusable=found.unusable,
            written=found.written,
            run_id=None if found.run is None else found.run.id,
        )

    def train(self, call: Call) -> Answer:
        """Have a run made."""
        run, already = self._services.learning.train(self._project(call), forced=bool(call.body.force))
        return 202, out.TriggeredOut(run_id=run.id, state=run.state, documents=run.documents, already=already)

    def runs(self, call: Call) -> Answer:
        """List training runs."""
        found = self._services.learning.runs(self._project(call), call.query.limit)
        return 200, out.RunsOut(runs=[say.run_out(run) for run in found])

    def run(self, call: Call) -> Answer:
        """Say how a run is."""
        return 200, say.run_out(self._services.learning.run(call.path.run_id))

    def take_feedback(self, call: Call) -> Answer:
        """Keep what an application corrects."""
        body: out.FeedbackIn = call.body
        taken = self._services.feedback.take(
            self._project(call),
            call.path.contact_id,
            blocks_of(body.original_blocks, "original_blocks"),
            corrected_blocks(body),
            image=decoded(body.image_base64),
            model_version=body.model_version,
            as_text=contact_as_text(call.path.contact_id, body.contact_id),
            said_at=_aware(body.timestamp),
        )
        return 201, say.feedback_out(taken)

    def list_feedback(self, call: Call) -> Answer:
        """Page through feedback."""
        service, query, project = self._services.feedback, call.query, self._project(call)
        # One more than asked for tells whether there is another page.
        found = service.store.page(project, before=query.before, limit=query.limit + 1, contact_id=query.contact_id)
        shown = found[: query.limit]
        return 200, out.FeedbackPage(
            total=service.store.count(project, query.contact_id),
            feedback=[say.feedback_out(service.standing_of(each)) for each in shown],
            next=shown[-1].id if len(found) > len(shown) else None,
        )

    def patterns(self, call: Call) -> Answer:
        """Say what corrections have in common."""
        query: out.PatternQuery = call.query
        report = self._services.patterns.analyse(
            self._project(call),
            since=_aware(query.since),
            until=_aware(query.until),
            version=query.version,
            field=query.field,
            limit=query.limit,
        )
        return 200, say.patterns_out(report)

    def extract(self, call: Call) -> Answer:
        """Make a contact of an image."""
        query: out.ExtractQuery = call.query
        project = self._services.projects.find(query.project_id)
        body: out.ExtractIn | None = call.body
        image = SentImage(call.image) if body is None else _sent_image(body)
        blocks = None if body is None or body.blocks is None else blocks_of(body.blocks, "blocks")
        data = self._services.sender.file(image, project)
        read = None if blocks is None else self._services.sender.name_blocks(project, data, blocks)
        found = self._services.extraction.extract(data, project, country=query.country, read=read)
        if query.format == "vcard":
            return 200, (VCARD, to_vcard(found.contact))
        if query.format == "csv":
            return 200, (CSV, to_csv([found.contact]))
        contact_id = None if body is None else body.contact_id
        return 200, say.contact_out(found.contact, found.verdict, contact_id, found.notes)

    def versions(self, call: Call) -> Answer:
        """List versions, and how tasks are shared."""
        project = self._project(call)
        return 200, out.VersionsOut(
            versions=[say.version_out(each) for each in self._services.statuses.versions(project)],
            challenger_share=self._share_of(project),
            serve_both=self._both,
        )

    def promote(self, call: Call) -> Answer:
        """Let a version serve."""
        now = self._services.learning.promote(
            self._project(call), call.path.version, reason=call.body.reason or "by hand"
        )
        return 200, out.ServingOut(version=now.version, previous=now.previous)

    def roll_back(self, call: Call) -> Answer:
        """Let the version before serve."""
        now = self._services.learning.roll_back(self._project(call), reason=call.body.reason or "by hand")
        return 200, out.ServingOut(version=now.version, previous=now.previous)

    def share(self, call: Call) -> Answer:
        """Give the challenger a share of the tasks."""
        project = self._project(call)
        self._services.learning.share(project, call.body.share)
        return 200, out.ShareOut(challenger_share=self._share_of(project))

    def history(self, call: Call) -> Answer:
        """Say how versions did."""
        project, statuses = self._project(call), self._services.statuses
        return 200, out.HistoryOut(
            versions=[say.version_out(each) for each in reversed(statuses.versions(project))],
            promotions=[say.promotion_out(each) for each in statuses.promotions(project)],
        )

    def add_field(self, call: Call) -> Answer:
        """Give a project a field."""
        body: out.FieldIn = call.body
        aliases = tuple(dict.fromkeys(body.aliases or ()))
        done = self._services.fields.add(call.path.project_id, CustomField(body.name, aliases, bool(body.critical)))
        return 200, out.FieldChangeOut(field=_field(done.field), changed=done.changed, labels=list(done.labels))

    def fields(self, call: Call) -> Answer:
        """List the fields that a project has added."""
        return 200, out.FieldsOut(fields=[_field(each) for each in self._services.fields.list(call.path.project_id)])

    def _project(self, call: Call) -> int:
        return self._services.projects.need(call.query.project_id)

    def _share_of(self, project_id: int) -> float:
        own = self._services.options.challenger_share(project_id)
        return self._share if own is None else own


def _sent_image(body: out.ImageIn) -> SentImage:
    if sum(part is not None for part in (body.image_base64, body.url, body.document)) != 1:
        raise RequestError("There is no image, or more than one.", "Send image_base64, url or document.")
    return SentImage(decoded(body.image_base64), body.url or "", body.document or "")


def _field(field: CustomField) -> out.FieldOut:
    return out.FieldOut(name=field.name, aliases=list(field.aliases), critical=field.critical)


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=timezone.utc) if moment is not None and moment.tzinfo is None else moment
