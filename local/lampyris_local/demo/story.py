"""The demo from beginning to end: build, start the local cloud, publish, call, measure, show."""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from time import perf_counter

from rich.text import Text

from lampyris.domain.bundle import Instructions
from lampyris.domain.manifest import Manifest
from lampyris.domain.names import LIVE
from lampyris.registry.aliases import WHOLE, roll_back, set_routes
from lampyris.registry.changes import Author
from lampyris_build.pipeline import BuildResult, build
from lampyris_build.recipe import load_recipe
from lampyris_build.stages import Stages
from lampyris_local.assets import asset
from lampyris_local.caller import user_here
from lampyris_local.cli.log import follow
from lampyris_local.cli.output import answers, percent, print_json, program, remarks, stages
from lampyris_local.cli.running import check_port, start_local_cloud
from lampyris_local.cli.stopping import stops_on_sigterm
from lampyris_local.client import Client
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import LogLine
from lampyris_local.demo.facts import Facts, Seen, document
from lampyris_local.demo.measure import InitDuration, cold_start, latency, stop_environments
from lampyris_local.demo.samples import Sample, write_calls
from lampyris_local.demo.show import show
from lampyris_local.deployment import Deployment, find_deployment
from lampyris_local.parcels import pack
from lampyris_local.uploads import send, wait_for_verdict

_PUBLISH_TIMEOUT_S = 60.0
_COLD_STARTS = 5
_CANARY_PERCENT = 10
_REQUESTS = 200


def run(*, data: Path | None, out: Path | None, keep: bool, port: int, as_json: bool) -> None:
    """Run the demo. The bundle goes to `out`; all else goes to a temporary folder that is gone afterwards."""
    check_port(port)
    with stops_on_sigterm(), ExitStack() as parts:
        folder = Path(parts.enter_context(TemporaryDirectory(prefix="lampyris-demo-")))
        log: SimpleQueue[LogLine] = SimpleQueue()
        cloud, facts = _tell(parts, data=data, bundle=out or folder / "bundle", port=port, log=log)
        calls = _calls(facts, cloud, folder) if keep else []
        if as_json:
            print_json(document(facts, calls=calls))
        else:
            show(facts, answers())
            _say_the_end(facts, out)
        if keep:
            _stay(cloud, calls, log, as_json=as_json)


def _tell(
    parts: ExitStack, *, data: Path | None, bundle: Path, port: int, log: SimpleQueue[LogLine]
) -> tuple[LocalCloud, Facts]:
    started = perf_counter()
    recipe = asset("recipes/digits.toml" if data is None else "recipes/mnist.toml")
    built = build(load_recipe(recipe, data=None if data is None else str(data)), bundle, console=stages())
    samples = _samples(built)
    inits = InitDuration()

    def hear(line: LogLine) -> None:
        inits.hear(line)
        log.put(line)

    with Stages(stages()) as steps:
        with steps.stage("local cloud") as stage:
            cloud = start_local_cloud(parts, port=port, on_line=hear)
            deployment = find_deployment(endpoint=cloud.api_url)
            client = parts.enter_context(Client(deployment))
            stage.outcome = f"up at {cloud.api_url}"
        with steps.stage("publish") as stage:
            manifest, published_s = _publish(built, deployment, Instructions())
            stage.outcome = f"{manifest.model} version {manifest.version} is live"
        with steps.stage("cold start") as stage:
            stage.expect(_COLD_STARTS)
            cold = cold_start(
                cloud,
                client,
                inits,
                model=manifest.model,
                payload=samples[0].payload,
                times=_COLD_STARTS,
                on_each=stage.advance,
            )
            stage.outcome = f"{cold.elapsed_ms:.0f} ms, the median of {_COLD_STARTS}"
        with steps.stage("canary") as stage:
            canary, _ = _publish(built, deployment, Instructions(release="hold"))
            _split(deployment, manifest, canary)
            stop_environments(cloud)  # warm ones would learn of it within seconds
            client.predict(manifest.model, samples[0].payload)
            stage.outcome = f"version {canary.version} gets {_CANARY_PERCENT} % of the requests"
        with steps.stage("requests") as stage:
            stage.expect(len(samples))
            seen = []
            for sample in samples:
                seen.append(Seen(sample=sample, answer=client.predict(manifest.model, sample.payload)))
                stage.advance("")
            by_canary = sum(each.version == canary.version for each in seen)
            stage.outcome = f"{len(seen)} pictures over HTTP, {by_canary} of them to the canary"
        with steps.stage("rollback") as stage:
            alias = roll_back(
                deployment.store, manifest.model, LIVE, author=_author("rollback"), now=datetime.now(UTC)
            )
            stage.outcome = f"version {alias.stable.version} gets all requests again"
    facts = Facts(
        built=built,
        manifest=manifest,
        published_s=published_s,
        cold=cold,
        warm=latency([each.answer.elapsed_ms for each in seen]),
        handler=latency([each.answer.parts_ms["total"] for each in seen]),
        seen=seen,
        elapsed_s=perf_counter() - started,
    )
    return cloud, facts


def _samples(built: BuildResult) -> list[Sample]:
    classes, test = built.classes, built.test.take(slice(0, _REQUESTS))
    assert classes is not None  # both recipes classify
    assert test.targets is not None
    return [
        Sample(pixels=pixels, label=classes[target])
        for pixels, target in zip(test.inputs["image"], test.targets, strict=True)
    ]


def _publish(
    built: BuildResult, deployment: Deployment, instructions: Instructions
) -> tuple[Manifest, float]:
    started = perf_counter()
    parcel = pack(built.bundle_dir, model=None, at=datetime.now(UTC), instructions=instructions)
    send(deployment.store, parcel, on_sent=lambda _: None)
    manifest = wait_for_verdict(deployment.store, parcel.upload, timeout_s=_PUBLISH_TIMEOUT_S)
    return manifest, perf_counter() - started


def _split(deployment: Deployment, stable: Manifest, canary: Manifest) -> None:
    shares = {stable.version: WHOLE - _CANARY_PERCENT, canary.version: _CANARY_PERCENT}
    set_routes(deployment.store, stable.model, LIVE, shares, author=_author("split"), now=datetime.now(UTC))


def _author(step: str) -> Author:
    return Author(key=f"demo:{step}", by=user_here(), reason="the demo")


def _calls(facts: Facts, cloud: LocalCloud, folder: Path) -> list[str]:
    return write_calls(
        facts.seen[0].sample,
        facts.manifest.signature,
        model=facts.manifest.model,
        api_url=cloud.api_url,
        folder=folder,
    )


def _say_the_end(facts: Facts, out: Path | None) -> None:
    right, sent = facts.correct, len(facts.seen)
    answers().print(
        f"{right} of {sent} pictures answered right ({percent(right / sent)}), in {facts.elapsed_s:.0f} s."
    )
    where = "goes with the demo's temporary folder; --out DIR keeps it" if out is None else f"is in {out}"
    remarks().print(f"The bundle {where}.", style="quiet")


def _stay(cloud: LocalCloud, calls: Sequence[str], log: SimpleQueue[LogLine], *, as_json: bool) -> None:
    if not as_json:
        answers().print("\nIt stays up until Ctrl-C. To try, in another terminal:\n")
        for call in calls:
            answers().print(Text(f"  {call}", "name"), soft_wrap=True)
        answers().print(Text(f"  {program()} models --endpoint {cloud.api_url}\n", "name"), soft_wrap=True)
    while not log.empty():
        log.get()
    follow(log, remarks())
