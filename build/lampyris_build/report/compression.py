"""What each step of compression won and cost."""

from lampyris_build.report import told
from lampyris_build.report.markup import NOTHING, Html, paragraph, section, table
from lampyris_build.report.report import Form, Report


def compression(report: Report) -> Html:
    if len(report.forms) == 1:
        return NOTHING
    header = ("", "Score", "Change", "Size", "", "Latency p50", "p99", "Memory", "")
    return section(
        "Compression",
        paragraph(_sentence(report)),
        table(
            header,
            [_row(form, report) for form in report.forms],
            numbers=range(1, len(header) - 1),
            caption="Every step, after all those before it",
        ),
    )


def _sentence(report: Report) -> str:
    first, shipped = report.forms[0], report.shipped
    if shipped is first:
        return "No step was kept: the uncompressed model ships."
    smaller = first.metrics.size_bytes / shipped.metrics.size_bytes
    faster = first.metrics.latency_p50_ms / shipped.metrics.latency_p50_ms
    return (
        f"What ships is {smaller:.1f} times smaller than the uncompressed model and answers {faster:.1f} "
        f"times as fast; its score is {told.points(shipped.metrics.score - first.metrics.score)} from there."
    )


def _row(form: Form, report: Report) -> tuple[str, ...]:
    first, metrics = report.forms[0], form.metrics
    is_first = form is first
    kept = "ships" if form is report.shipped else "kept"
    return (
        form.name,
        told.share(metrics.score),
        "" if is_first else told.points(metrics.score - first.metrics.score),
        told.size(metrics.size_bytes),
        "" if is_first else f"÷ {first.metrics.size_bytes / metrics.size_bytes:.1f}",
        told.milliseconds(metrics.latency_p50_ms),
        told.milliseconds(metrics.latency_p99_ms),
        told.size(metrics.memory_bytes),
        kept if form.kept else form.reason,
    )
