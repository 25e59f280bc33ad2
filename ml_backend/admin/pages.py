"""The panel's pages on a project, and its buttons."""

from __future__ import annotations

from flask import Blueprint, Response, abort, g, redirect, render_template, request, stream_template, url_for
from flask.typing import ResponseReturnValue

from active_learning.reasons import explain
from ml_backend.admin.panel import Panel
from ml_backend.admin.plots import draw, draw_weeks, queue_of_reasons
from ml_backend.admin.progress import progress_of
from ml_backend.admin.session import inside
from ml_backend.admin.version_table import compare_versions
from ml_backend.i18n import say
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.ops.doctor.examination import Examined, examine_everything
from ml_backend.ops.doctor.results import lacks_predictions
from model.errors import ModelError

#: The pages of a project, in the order of the menu.
PAGES = (
    ("overview", say("Overview")),
    ("recommendations", say("Recommendations")),
    ("corrections", say("Corrections")),
    ("patterns", say("Patterns")),
    ("label_errors", say("Label errors")),
    ("plots", say("Plots")),
    ("versions", say("Versions")),
    ("doctor", say("Doctor")),
)
ACTION_NAMES = {
    "initialise": say("Initialise"),
    "sync": say("Sync"),
    "collect": say("Collect"),
    "train": say("Train"),
    "rescore": say("Rescore"),
    "label_errors": say("Search label errors"),
    "promote": say("Promote"),
    "rollback": say("Roll back"),
    "send": say("Send for annotation"),
    "share": say("A/B share"),
}
#: Corrections of as many documents on one page.
PAGE = 8
#: Recommendations on one page.
SHOWN = 12
#: A crop changes when the correction does, and then its address does too.
_PICTURE_SECONDS = 600


def add_pages(blueprint: Blueprint, panel: Panel) -> None:
    """Add the routes of all pages on projects."""
    queries = panel.queries

    @blueprint.context_processor
    def of_project() -> dict[str, object]:
        project_id = (request.view_args or {}).get("project_id")
        if not isinstance(project_id, int):
            return {"project_id": None, "action": None}
        key = request.args.get("action", "")
        action = panel.runner.store.action(key) if key else None
        mine = action if action is not None and action.project_id in (project_id, 0) else None
        return {
            "project_id": project_id,
            "action": mine,
            "projects": queries.projects(),
            "pages": PAGES,
            "action_names": ACTION_NAMES,
        }

    @blueprint.get("/")
    def home() -> ResponseReturnValue:
        projects = queries.projects()
        if projects:
            return redirect(url_for("panel.overview", project_id=projects[0].id))
        return redirect(url_for("panel.overview", project_id=0))

    @blueprint.get("/projects/<int:project_id>/")
    def overview(project_id: int) -> ResponseReturnValue:
        found = queries.overview(project_id)
        return render_template(
            "overview.html",
            page="overview",
            overview=found,
            progress=progress_of(found.run, g.translator),
            actions=panel.runner.store.latest(project_id),
            runs=queries.runs.runs(project_id, limit=5),
            settings=panel.settings,
            advice=advice(project_id),
        )

    def advice(project_id: int) -> tuple[str, ...]:
        try:
            return panel.adviser.advice(project_id).words(g.translator.reasons)
        except ModelError:
            # The page says already that the registry cannot be read.
            return ()

    @blueprint.get("/projects/<int:project_id>/progress")
    def progress(project_id: int) -> ResponseReturnValue:
        return progress_of(queries.current_run(project_id), g.translator).as_json()

    @blueprint.get("/projects/<int:project_id>/actions/<key>")
    def action_state(project_id: int, key: str) -> ResponseReturnValue:
        action = panel.runner.store.action(key)
        if action is None:
            abort(404)
        return {"state": action.state}

    @blueprint.post("/projects/<int:project_id>/actions/<name>")
    def act(project_id: int, name: str) -> ResponseReturnValue:
        action = panel.actions.by_name.get(name)
        key = request.form.get("key", "")
        if action is None or not 16 <= len(key) <= 64:
            abort(404)
        form = request.form.to_dict()
        panel.runner.start(key, project_id, name, lambda: action(project_id, form))
        # What ran already is shown in place of what was not started beside it.
        running = panel.runner.store.action(key) or next(
            (each for each in panel.runner.store.latest(project_id) if each.name == name), None
        )
        back = inside(form.get("next", "")) or url_for("panel.overview", project_id=project_id)
        back = back.split("?")[0]
        return redirect(f"{back}?action={running.key}#outcome" if running else back, 303)

    @blueprint.get("/projects/<int:project_id>/plots")
    def plots(project_id: int) -> ResponseReturnValue:
        return render_template(
            "plots.html",
            page="plots",
            plots=[
                *draw(queries, project_id, g.translator),
                queue_of_reasons(panel.recommender, project_id, g.translator),
            ],
        )

    @blueprint.get("/projects/<int:project_id>/corrections")
    def corrections(project_id: int) -> ResponseReturnValue:
        number = max(0, request.args.get("page", 0, type=int))
        found, count = queries.corrected(project_id, number, PAGE)
        return render_template(
            "corrections.html", page="corrections", documents=found, number=number, last=max(0, (count - 1) // PAGE)
        )

    @blueprint.get("/projects/<int:project_id>/annotations/<int(signed=True):annotation_id>/crops/<int:index>")
    def crop(project_id: int, annotation_id: int, index: int) -> ResponseReturnValue:
        found = next(iter(queries.learning.annotations([annotation_id])), None)
        corrections = queries.learning.corrections(annotation_id)
        if found is None or found.project_id != project_id or index >= len(corrections):
            abort(404)
        correction = corrections[index]
        if correction.box is None or queries.label_studio is None:
            abort(404)
        config = parse_label_config(queries.label_studio.project(project_id).label_config)
        return _picture(
            panel.pictures.crop(
                project_id, found.task_id, found.task_data, config, correction.box, correction.item_index
            )
        )

    @blueprint.get("/projects/<int:project_id>/tasks/<int:task_id>/thumbnail")
    def thumbnail(project_id: int, task_id: int) -> ResponseReturnValue:
        if queries.label_studio is None:
            abort(404)
        task = queries.label_studio.task(task_id)
        if task.project != project_id:
            abort(404)
        config = parse_label_config(queries.label_studio.project(project_id).label_config)
        return _picture(panel.pictures.thumbnail(project_id, task_id, task.data, config))

    @blueprint.get("/projects/<int:project_id>/recommendations")
    def recommendations(project_id: int) -> ResponseReturnValue:
        found = panel.recommender.recommendations(project_id, SHOWN)
        reasons = [[explain(reason, g.translator.reasons) for reason in each.reasons] for each in found.items]
        return render_template(
            "recommendations.html",
            page="recommendations",
            found=found,
            items=list(zip(found.items, reasons, strict=True)),
            label_studio=panel.settings.label_studio_url.rstrip("/"),
        )

    @blueprint.get("/projects/<int:project_id>/patterns")
    def patterns(project_id: int) -> ResponseReturnValue:
        field, version = (request.args.get(name, "") or None for name in ("field", "version"))
        everything = panel.patterns.analyse(project_id)
        report = panel.patterns.analyse(project_id, field=field, version=version, limit=15)
        return render_template(
            "patterns.html",
            page="patterns",
            report=report,
            everything=everything,
            field=field,
            version=version,
            weeks=draw_weeks(report.by_week, g.translator),
        )

    @blueprint.get("/projects/<int:project_id>/label-errors")
    def label_errors(project_id: int) -> ResponseReturnValue:
        suspects = panel.label_errors.queue(project_id, SHOWN)
        found = queries.learning.annotations(suspect.annotation_id for suspect in suspects)
        contacts = {annotation.id: annotation.task_data.get("contact_id") for annotation in found}
        return render_template(
            "label_errors.html",
            page="label_errors",
            suspects=[(suspect, contacts.get(suspect.annotation_id)) for suspect in suspects],
            label_studio=panel.settings.label_studio_url.rstrip("/"),
        )

    @blueprint.get("/projects/<int:project_id>/label-errors/<int(signed=True):task_id>/crops/<int:index>")
    def doubt_crop(project_id: int, task_id: int, index: int) -> ResponseReturnValue:
        suspect = next((s for s in panel.label_errors.queue(project_id, 10_000) if s.task_id == task_id), None)
        doubt = suspect.doubts[index] if suspect is not None and index < len(suspect.doubts) else None
        if suspect is None or doubt is None or doubt.box is None or queries.label_studio is None:
            abort(404)
        annotation = next(iter(queries.learning.annotations([suspect.annotation_id])), None)
        if annotation is None:
            abort(404)
        config = parse_label_config(queries.label_studio.project(project_id).label_config)
        return _picture(
            panel.pictures.crop(project_id, task_id, annotation.task_data, config, doubt.box, doubt.item_index)
        )

    @blueprint.get("/projects/<int:project_id>/versions")
    def versions(project_id: int) -> ResponseReturnValue:
        table = compare_versions(queries, project_id, request.args.getlist("v", type=int))
        share = panel.actions.service.challenger_share(project_id)
        return render_template(
            "versions.html",
            page="versions",
            table=table,
            settings=panel.settings,
            share=panel.settings.challenger_share if share is None else share,
        )

    @blueprint.get("/projects/<int:project_id>/doctor")
    def doctor(project_id: int) -> ResponseReturnValue:
        return render_template("doctor.html", page="doctor", examined=None)

    @blueprint.post("/projects/<int:project_id>/doctor")
    def examine(project_id: int) -> ResponseReturnValue:
        examined = examine_everything(
            panel.settings, panel.engine, [project_id] if project_id else None, migrates=True
        )  # fmt: skip
        return stream_template("doctor.html", page="doctor", examined=examined, tally=Tally()), 200, {}


class Tally:
    """Counts results while a page is written: how they are in all is known at its end only."""

    def __init__(self) -> None:
        self.broken = 0
        self.attention = 0
        self.lacking = False

    def add(self, examined: Examined) -> str:
        """Count one result, and write nothing."""
        self.broken += examined.result.state == "error"
        self.attention += examined.result.state == "warning"
        self.lacking = self.lacking or lacks_predictions(examined.result)
        return ""


def _picture(body: bytes) -> Response:
    headers = {"Cache-Control": f"private, max-age={_PICTURE_SECONDS}"}
    return Response(body, mimetype="image/jpeg", headers=headers)
