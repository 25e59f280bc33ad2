"""Between a project in Label Studio and this backend: calls one way, events the other, and the order of tasks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import requests
from label_studio_sdk.core.api_error import ApiError

from ml_backend.errors import BackendError, ImageFetchError, ImageRefusedError, LabelConfigError, LabelStudioError
from ml_backend.i18n import Words, say
from ml_backend.label_studio.fields import match_labels, plain_text_label
from ml_backend.label_studio.images import build_images
from ml_backend.label_studio.label_config import parse_label_config, unserved_controls
from ml_backend.label_studio.webhooks import WEBHOOK_SECRET_HEADER
from ml_backend.ops.doctor.results import OPEN_TASKS, Check, Observation, State, ok
from ml_backend.ops.doctor.targets import ProjectLink
from ml_backend.projects.setup import UNCERTAINTY
from ml_backend.store.coverage import VERSION
from model.document.bio import FIELDS

#: Label Studio gives up on a webhook, and on /health, after one second.
HEALTH_SECONDS = 1.0
#: Images that are fetched: the first of the project, and as many as a person waits for.
IMAGES = 2
#: A worker looks at a project with something to do every few seconds.
UNATTENDED = timedelta(minutes=10)

_REPAIR = say('Press "Initialise" in the panel, or start `make run` again.')


def look_at_backend(link: ProjectLink) -> Iterator[Observation]:
    """Ask the backend itself how it is, with what Label Studio would send."""
    settings, url = link.settings, link.settings.public_url
    auth = (settings.basic_auth_user, settings.basic_auth_password.get_secret_value())
    start = time.monotonic()
    try:
        answer = requests.get(f"{url}/health", auth=auth if auth[0] else None, timeout=5)
        status = answer.json().get("status") if answer.ok else None
    except (requests.RequestException, ValueError, AttributeError):
        yield Observation(
            "error",
            say("No backend answers at {url}.", url=url),
            say("Start it with `make run`, or set BACKEND_URL to the address that Label Studio reaches it under."),
        )
        return
    took = time.monotonic() - start
    if answer.status_code == 401:
        yield Observation(
            "error",
            say("The backend at {url} runs with another user name or password.", url=url),
            say("Set BASIC_AUTH_USER and BASIC_AUTH_PASSWORD here as the running backend has them."),
        )
    elif status != "UP":
        yield Observation(
            "error",
            say("Another program answers at {url} (status {status}).", url=url, status=answer.status_code),
            say("Set PORT to a free port and BACKEND_URL to match it, and start the backend again."),
        )
    elif problem := answer.json().get("model_problem"):
        yield Observation(
            "warning",
            say("The backend serves an older version: {problem}", problem=problem),
            say("Roll back, or promote another version: the files of the promoted one cannot be used."),
        )
    elif took > HEALTH_SECONDS:
        yield Observation(
            "warning",
            say("The backend takes {seconds:.1f} s to answer; Label Studio waits 1 s.", seconds=took),
            say("Give the machine more processors, or lower INFERENCE_THREADS so that answers find one free."),
        )
    else:
        yield ok("The backend answers at {url} in {milliseconds:.0f} ms.", url=url, milliseconds=1000 * took)


def look_at_flags(link: ProjectLink) -> Iterator[Observation]:
    """Try whether Label Studio takes the backend's address, with requests that it refuses for another reason anyway."""
    hook = {"url": f"{link.settings.public_url}/webhook", "actions": ["NO_SUCH_ACTION"], "is_active": False}
    backend = {"url": link.settings.public_url, "is_interactive": "neither"}
    refused = [
        flag
        for flag, path, body in (
            ("ML_BLOCK_LOCAL_IP=false", "api/ml", backend),
            ("SSRF_PROTECTION_ENABLED=false", "api/webhooks/", hook),
        )
        if _refuses_address(link, path, {"project": link.project_id, **body})
    ]
    if refused:
        yield Observation(
            "error",
            say("Label Studio refuses {url}, an address of a private network.", url=link.settings.public_url),
            say(
                "Start Label Studio with {missing} in its environment (it needs both ML_BLOCK_LOCAL_IP=false and "
                "SSRF_PROTECTION_ENABLED=false), then initialise again.",
                missing=" and ".join(refused),
            ),
        )
    else:
        yield ok("Label Studio accepts the backend's address for calls and for webhooks.")


def _refuses_address(link: ProjectLink, path: str, body: dict[str, object]) -> bool:
    try:
        link.label_studio.session.request("POST", path, json=body)
    except ApiError as error:
        if error.status_code in (400, 403):
            return "reserved network address" in str(error.body)
        raise LabelStudioError(f"Label Studio answered {error.status_code} to a trial of {path}.") from error
    raise LabelStudioError(f"Label Studio accepted a request to {path} that it should have refused.")


def look_at_registration(link: ProjectLink) -> Iterator[Observation]:
    """See whether the project is connected to this backend, and how Label Studio finds it now."""
    url = link.settings.public_url
    there = sorted(link.label_studio.ml_backends(link.project_id), key=lambda backend: backend.id)
    ours = [backend for backend in there if backend.url.rstrip("/") == url]
    if not ours:
        elsewhere = ", ".join(backend.url for backend in there)
        found = (
            say("The project is connected to {elsewhere}, not to {url}.", elsewhere=elsewhere, url=url)
            if there
            else say("The project is connected to no backend.")
        )
        yield Observation("error", found, _REPAIR)
        return
    # Asking for one has Label Studio call /health and /setup; the list says only how it was when it last did.
    connection = link.label_studio.backend_state(ours[0].id)
    if connection.state != "CO":
        why = connection.error.strip() or "—"
        yield Observation(
            "error",
            say("Label Studio cannot use the backend at {url}: {why}", url=url, why=why[:300]),
            say(
                "See that {url} can be reached from the machine of Label Studio; if its password has changed, "
                "initialise again.",
                url=url,
            ),
        )
    elif there[0].id != ours[0].id:
        yield Observation(
            "warning",
            say("Another backend is connected first, and Label Studio asks that one only: {url}.", url=there[0].url),
            say("In the project's Settings → Model, remove the other backend."),
        )
    else:
        yield ok("Label Studio has the backend connected and healthy.")


def look_at_webhook(link: ProjectLink) -> Iterator[Observation]:
    """See whether events are sent here, once, and with the secret."""
    url, secret = f"{link.settings.public_url}/webhook", link.settings.webhook_secret.get_secret_value()
    hooks = [hook for hook in link.label_studio.webhooks(link.project_id) if hook.url.rstrip("/") == url]
    active = [hook for hook in hooks if hook.is_active]
    if not hooks:
        yield Observation(
            "error", say("The project has no webhook to {url}: annotations are noticed late.", url=url), _REPAIR
        )
    elif not active:
        yield Observation("error", say("The webhook to {url} is switched off.", url=url), _REPAIR)
    elif secret and any(hook.headers.get(WEBHOOK_SECRET_HEADER) != secret for hook in active):
        missing = all(WEBHOOK_SECRET_HEADER not in hook.headers for hook in active)
        found = (
            say("The webhook carries no {header} header: the backend refuses its events.", header=WEBHOOK_SECRET_HEADER)
            if missing
            else say(
                "The webhook carries a wrong {header}: the backend refuses its events.", header=WEBHOOK_SECRET_HEADER
            )
        )
        yield Observation("error", found, _REPAIR)
    elif len(active) > 1:
        yield Observation("warning", say("{count} webhooks send every event here.", count=len(active)), _REPAIR)
    elif not secret:
        yield Observation(
            "warning",
            say("The webhook has no secret: anybody can send events."),
            say("Set WEBHOOK_SECRET to a long random value, start the backend again, and initialise."),
        )
    else:
        yield ok("There is one webhook, switched on, with the secret.")


def look_at_round_trip(link: ProjectLink) -> Iterator[Observation]:
    """Have Label Studio send an event, and see it arrive in the store: saving a project unchanged is one."""
    before = link.arrived(link.project_id, "PROJECT_UPDATED")
    start = time.monotonic()
    with link.label_studio.session.explained("save the project"):
        link.label_studio.session.request("PATCH", f"api/projects/{link.project_id}/", json={})
    while time.monotonic() - start < link.wait_seconds:
        if link.arrived(link.project_id, "PROJECT_UPDATED") > before:
            yield ok("An event arrived in {seconds:.1f} s.", seconds=time.monotonic() - start)
            return
        time.sleep(0.1)
    yield Observation(
        "error",
        say("An event was sent, but did not arrive within {seconds:.0f} s.", seconds=link.wait_seconds),
        say(
            "See that {url}/webhook can be reached from Label Studio within a second and that the backend writes into "
            "this store (DATABASE_URL, RUN_DIR); Label Studio's log says what became of the event.",
            url=link.settings.public_url,
        ),
    )


def look_at_config(link: ProjectLink) -> Iterator[Observation]:
    """Match the labels of the configuration with what the model names, one by one."""
    project = link.label_studio.project(link.project_id)
    try:
        config = parse_label_config(project.label_config)
    except LabelConfigError as error:
        yield Observation(
            "error",
            say("The labelling configuration cannot be used: {error}", error=error.message),
            say("In the project's Settings → Labeling Interface: {hint}", hint=error.hint),
        )
        return
    plain = plain_text_label(config.labels)
    labels = [label for label in config.labels if label.value != plain]
    matches = match_labels(FIELDS, labels)
    by_label = {label.value: [field for field in FIELDS if matches.get(field) == label.value] for label in labels}
    matched = ", ".join(f"{label} ← {' + '.join(fields)}" for label, fields in by_label.items() if fields)
    unknown = [label for label, fields in by_label.items() if not fields]
    missing = [field for field in FIELDS if field not in matches]
    yield from _controls(project.label_config)
    if any(not target.texts for target in config.targets):
        yield Observation(
            "warning",
            say("The configuration has no <TextArea perRegion> for what was read: misreadings cannot be corrected."),
            say('Add <TextArea name="text" toName="image" perRegion="true"/> to the labelling interface.'),
        )
    if plain is not None:
        yield ok('Lines of no field are "{label}".', label=plain)
    if any(target.pre_labels == "values" for target in config.targets):
        yield ok('Lines of no field are not pre-labelled, as preLabels="values" of the <Image> tag asks.')
    if labels and not matched:
        yield Observation(
            "warning",
            say("No label is one that the model names yet: {labels}.", labels=", ".join(unknown)),
            say("That is normal for other documents: annotate some, and the model learns these labels in training."),
        )
    elif missing and labels:
        yield Observation(
            "warning",
            say("{matched}. No label for: {missing}.", matched=matched, missing=", ".join(missing)),
            say("Add labels for these fields, or name them in a label's predicted_values, if they are wanted."),
        )
    else:
        yield ok("{matched}.", matched=matched or "—")
    if matched and unknown:
        yield ok("Labels that the model only knows after training: {labels}.", labels=", ".join(unknown))


def _controls(xml: str) -> Iterator[Observation]:
    """Say of each control that gets no pre-labels why that is so."""
    for control in unserved_controls(xml):
        yield ok(
            '<{tag} name="{name}"> gets no pre-labels: {reason}.',
            tag=control.tag,
            name=control.name,
            reason=control.reason,
        )


def look_at_regions(link: ProjectLink) -> Iterator[Observation]:
    """Look for regions that people have drawn and nothing is learned from."""
    try:
        config = parse_label_config(link.label_studio.project(link.project_id).label_config)
    except LabelConfigError:
        yield Observation("skipped", say('Not looked at: first fix "{link}".', link=say("Labelling configuration")))
        return
    counts = link.skipped(link.project_id, config)
    if not counts:
        yield ok("All annotated regions can be used.")
        return
    reasons = "; ".join(f"{reason} ({count})" for reason, count in sorted(counts.items(), key=lambda item: -item[1]))
    yield Observation(
        "warning",
        say(
            "{count} annotated regions cannot be used, and the words below them are not learned from: {reasons}.",
            count=sum(counts.values()),
            reasons=reasons,
        ),
        say("Draw them as rectangles or polygons, with the labels of the labelling configuration."),
    )


def look_at_images(link: ProjectLink) -> Iterator[Observation]:
    """Fetch an image just as predictions do."""
    project = link.label_studio.project(link.project_id)
    try:
        target = parse_label_config(project.label_config).targets[0]
    except LabelConfigError:
        yield Observation("skipped", say('Not looked at: first fix "{link}".', link=say("Labelling configuration")))
        return
    addresses = []
    for task in link.label_studio.tasks(link.project_id):
        urls = list(target.pages(task.data).values())
        addresses += [(task.id, url) for url in urls[:1]]
        if len(addresses) >= IMAGES or not urls:
            break
    if not addresses:
        empty = project.task_number == 0
        found = (
            say("The project has no task yet.")
            if empty
            else say('The tasks hold no image under "{key}".', key=target.value_key)
        )
        remedy = (
            say("Import images into the project.")
            if empty
            else say('Import tasks with "{key}", or change the <Image> tag\'s value.', key=target.value_key)
        )
        yield Observation("warning" if empty else "error", found, remedy)
        return
    images = build_images(link.settings, link.label_studio)
    size, start = 0, time.monotonic()
    for task_id, url in addresses:
        try:
            size += len(images.fetch(url, task_id, link.project_id))
        except (ImageFetchError, ImageRefusedError) as error:
            said = say("Could not fetch the image of task {task}: {error}", task=task_id, error=error.message)
            yield Observation("error", said, _image_remedy(error))
            return
    yield ok(
        "{count} images fetched, {size:.0f} kB in {seconds:.1f} s.",
        count=len(addresses),
        size=size / 1000,
        seconds=time.monotonic() - start,
    )


def _image_remedy(error: BackendError) -> Words:
    if error.hint:
        return say("{hint}", hint=error.hint)
    return say("Open the task in Label Studio: if the picture does not show there either, import it again.")


def look_at_version(link: ProjectLink) -> Iterator[Observation]:
    """See whether the project's model version is one that predictions have: else they neither show nor order."""
    project = link.label_studio.project(link.project_id)
    counts = link.label_studio.version_counts(link.project_id)
    if not counts:
        yield Observation(
            "warning",
            say("The project has no predictions yet."),
            say('Press "Rescore", or select tasks in Label Studio and choose "Retrieve predictions".'),
        )
    elif not project.model_version or project.model_version not in counts:
        yield Observation(
            "error",
            say(
                "The project's model version is \"{version}\", the predictions' are {versions}: scores are ignored, "
                "and tasks come in random order.",
                version=project.model_version,
                versions=", ".join(f'"{name}"' for name in counts),
            ),
            _REPAIR,
        )
    else:
        count = counts[project.model_version]
        yield ok('"{version}" has {count} predictions.', version=project.model_version, count=count)


def look_at_sampling(link: ProjectLink) -> Iterator[Observation]:
    """See whether the most instructive task comes first."""
    sampling = link.label_studio.project(link.project_id).sampling
    if sampling == UNCERTAINTY:
        yield ok("The least certain task comes first ({sampling}).", sampling=sampling)
    else:
        yield Observation(
            "error",
            say('The task order is "{sampling}": predictions\' scores are ignored.', sampling=sampling),
            _REPAIR,
        )


def look_at_open_tasks(link: ProjectLink) -> Iterator[Observation]:
    """See whether every open task has a prediction of the version that serves, and why not."""
    coverage = link.coverage(link.project_id)
    start_worker = say("See that a worker runs: `make run` starts one, and its log says what it does.")
    if coverage is None or coverage.checked_at is None:
        yield Observation("warning", say("No worker has looked at the open tasks yet."), start_worker)
        return
    if coverage.problem:
        state: State = "warning" if coverage.problem == VERSION else "skipped"
        yield Observation(state, say("No open task is predicted: {why}", why=coverage.problem_text))
        return
    remedy = say('They are tried again by themselves, and at once after "Rescore".')
    for words in coverage.said_of_failures():
        yield Observation("warning", words, remedy)
    if coverage.waiting:
        waits = say(
            "{count} of {open_tasks} open tasks wait for their prediction, for about {minutes:.0f} minutes.",
            count=coverage.waiting,
            open_tasks=coverage.open_tasks,
            minutes=max(1.0, coverage.seconds_left / 60),
        )
        if datetime.now(timezone.utc) - coverage.checked_at > UNATTENDED:
            yield Observation("warning", waits, start_worker)
        else:
            yield Observation("running", waits)
    elif not coverage.lacking:
        yield ok(
            'All {count} open tasks have a prediction of "{version}".',
            count=coverage.open_tasks,
            version=coverage.version,
        )


PROJECT_CHECKS: tuple[Check[ProjectLink], ...] = (
    Check("backend", say("Backend answers"), look_at_backend),
    Check("flags", say("Private addresses allowed"), look_at_flags),
    Check("registration", say("Backend as Label Studio sees it"), look_at_registration, needs=("backend",)),
    Check("webhook", say("Webhook"), look_at_webhook),
    Check("round-trip", say("Webhook arrives"), look_at_round_trip, needs=("backend", "webhook")),
    Check("label-config", say("Labelling configuration"), look_at_config),
    Check("regions", say("Annotated regions"), look_at_regions),
    Check("images", say("Images"), look_at_images),
    Check("model-version", say("Model version"), look_at_version),
    Check("sampling", say("Task order"), look_at_sampling),
    Check(OPEN_TASKS, say("Open tasks"), look_at_open_tasks),
)
