"""The one table of verbs: the HTTP API routes by it and describes itself by it, the command line runs it."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from lampyris.control import (
    aliases,
    audit,
    comparison,
    data,
    job_purging,
    job_results,
    jobs,
    keeping,
    models,
    papers,
    rejected,
    uploads,
    versions,
)
from lampyris.control.call import Caller, Registry
from lampyris.control.job_states import JobDetails, JobState
from lampyris.control.pages import PageArguments
from lampyris.domain.manifest import Manifest, Rejection
from lampyris.registry.collection import Collected
from lampyris.registry.copying import Copied
from lampyris.registry.erasure import Erased
from lampyris.registry.shadows import ShadowSummary
from lampyris.registry.verification import Verified


class Verb(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be asked of a registry.

    `run(registry, arguments, caller)` takes an `arguments` and gives an `answer`. Over HTTP, the arguments
    that `path` names stand in it; the others in the query of GET and DELETE, and in the body of POST and PUT.
    `status` is HTTP's for success. Of verbs that change nothing the caller does not matter. What a
    `destructive` one takes away does not come back. One that is `deployed` needs what only a deployment has
    beside its bucket: a table and queues.
    """

    name: str
    summary: str
    method: Literal["GET", "PUT", "POST", "DELETE"]
    path: str
    arguments: type[msgspec.Struct]
    answer: Any
    run: Callable[[Registry, Any, Caller], Any]
    status: int = 200
    destructive: bool = False
    deployed: bool = False

    @property
    def changes(self) -> bool:
        """Whether it changes anything: whether an idempotency key and a reason belong to it."""
        return self.method != "GET"


_MODEL = "/models/{model}"
_VERSION = "/models/{model}/versions/{version}"
_ALIAS = "/models/{model}/aliases/{alias}"
_JOB = "/jobs/{job}"

VERBS: tuple[Verb, ...] = (
    Verb(
        name="models list",
        summary="List the models",
        method="GET",
        path="/models",
        arguments=PageArguments,
        answer=models.ModelPage,
        run=models.list_all,
    ),
    Verb(
        name="models show",
        summary="Show a model and its aliases",
        method="GET",
        path=_MODEL,
        arguments=models.OneModel,
        answer=models.ModelDetails,
        run=models.show,
    ),
    Verb(
        name="versions list",
        summary="List a model's versions, the newest first",
        method="GET",
        path="/models/{model}/versions",
        arguments=versions.VersionsOf,
        answer=versions.VersionPage,
        run=versions.list_all,
    ),
    Verb(
        name="versions show",
        summary="Show a version's manifest",
        method="GET",
        path=_VERSION,
        arguments=versions.OneVersion,
        answer=Manifest,
        run=versions.show,
    ),
    Verb(
        name="versions card",
        summary="Show a version's model card",
        method="GET",
        path=f"{_VERSION}/card",
        arguments=versions.OneVersion,
        answer=papers.CardTexts,
        run=papers.show_card,
    ),
    Verb(
        name="versions bill-of-materials",
        summary="Show what a version was made of and with: CycloneDX in JSON",
        method="GET",
        path=f"{_VERSION}/bill-of-materials",
        arguments=versions.OneVersion,
        answer=dict[str, Any],
        run=papers.show_bill,
    ),
    Verb(
        name="versions compare",
        summary="Put versions side by side",
        method="GET",
        path="/models/{model}/compare",
        arguments=comparison.Compare,
        answer=comparison.Comparison,
        run=comparison.compare,
    ),
    Verb(
        name="versions delete",
        summary="Delete a version that no alias names; its number stays taken",
        method="DELETE",
        path=_VERSION,
        arguments=versions.OneVersion,
        answer=versions.DeletedVersion,
        run=versions.delete,
        destructive=True,
    ),
    Verb(
        name="aliases list",
        summary="List a model's aliases",
        method="GET",
        path="/models/{model}/aliases",
        arguments=aliases.AliasesOf,
        answer=aliases.AliasPage,
        run=aliases.list_all,
    ),
    Verb(
        name="aliases show",
        summary="Show where an alias points",
        method="GET",
        path=_ALIAS,
        arguments=aliases.OneAlias,
        answer=aliases.AliasState,
        run=aliases.show,
    ),
    Verb(
        name="aliases set",
        summary="Point an alias at a version, or split its requests over several",
        method="PUT",
        path=_ALIAS,
        arguments=aliases.SetRoutes,
        answer=aliases.AliasState,
        run=aliases.set_all,
    ),
    Verb(
        name="aliases shadow",
        summary="Send copies of an alias' requests to a version, or to none",
        method="PUT",
        path=f"{_ALIAS}/shadow",
        arguments=aliases.SetShadow,
        answer=aliases.AliasState,
        run=aliases.shadow,
    ),
    Verb(
        name="aliases promote",
        summary="Give a version, or else the canary or the shadow, all of an alias' requests",
        method="POST",
        path=f"{_ALIAS}/promote",
        arguments=aliases.Promote,
        answer=aliases.AliasState,
        run=aliases.promote_one,
    ),
    Verb(
        name="aliases rollback",
        summary="Return to the version that had all of an alias' requests before",
        method="POST",
        path=f"{_ALIAS}/rollback",
        arguments=aliases.OneAlias,
        answer=aliases.AliasState,
        run=aliases.roll_back_one,
    ),
    Verb(
        name="aliases history",
        summary="List what an alias was, the newest revision first",
        method="GET",
        path=f"{_ALIAS}/history",
        arguments=aliases.History,
        answer=aliases.AliasPage,
        run=aliases.history,
    ),
    Verb(
        name="aliases shadow-differences",
        summary="Sum up how a shadow answered the copies that it got",
        method="GET",
        path=f"{_ALIAS}/shadow",
        arguments=aliases.ShadowDifferences,
        answer=ShadowSummary,
        run=aliases.shadow_differences,
    ),
    Verb(
        name="uploads open",
        summary="Get addresses to put a bundle or a bare .onnx at, which is then published",
        method="POST",
        path="/models/{model}/uploads",
        arguments=uploads.OpenUpload,
        answer=uploads.OpenedUpload,
        run=uploads.open_one,
        status=201,
    ),
    Verb(
        name="uploads show",
        summary="Show what became of an upload",
        method="GET",
        path="/models/{model}/uploads/{upload}",
        arguments=uploads.OneUpload,
        answer=uploads.UploadState,
        run=uploads.show,
    ),
    Verb(
        name="rejected list",
        summary="List the uploads that were refused",
        method="GET",
        path="/rejected",
        arguments=rejected.ListRejected,
        answer=rejected.RejectionPage,
        run=rejected.list_all,
    ),
    Verb(
        name="rejected show",
        summary="Show why an upload was refused",
        method="GET",
        path="/rejected/{model}/{upload}",
        arguments=rejected.OneRejected,
        answer=Rejection,
        run=rejected.show,
    ),
    Verb(
        name="audit list",
        summary="List changes, the newest first",
        method="GET",
        path="/audit",
        arguments=audit.ListAudit,
        answer=audit.AuditPage,
        run=audit.list_all,
    ),
    Verb(
        name="audit verify",
        summary="Check that no entry of the audit is missing or altered, nor what it tells of",
        method="GET",
        path="/audit/verify",
        arguments=audit.Verify,
        answer=Verified,
        run=audit.verify_all,
    ),
    Verb(
        name="backup",
        summary="Copy the registry, or one model, to the place for backups",
        method="POST",
        path="/backup",
        arguments=keeping.BackUp,
        answer=Copied,
        run=keeping.back_all_up,
    ),
    Verb(
        name="restore",
        summary="Bring back what the backup holds, or one model of it; nothing is overwritten",
        method="POST",
        path="/restore",
        arguments=keeping.Restore,
        answer=Copied,
        run=keeping.restore_all,
    ),
    Verb(
        name="gc",
        summary="Remove blobs that no version names, after a grace period",
        method="POST",
        path="/gc",
        arguments=keeping.Collect,
        answer=Collected,
        run=keeping.collect_all,
        destructive=True,
    ),
    Verb(
        name="erase",
        summary="Remove a model beyond recovery; the numbers of its versions stay taken",
        method="DELETE",
        path=_MODEL,
        arguments=keeping.Erase,
        answer=Erased,
        run=keeping.erase_one,
        destructive=True,
    ),
    Verb(
        name="data open",
        summary="Get an address to put data at, for a job to read",
        method="POST",
        path="/data",
        arguments=data.OpenData,
        answer=data.DataPlace,
        run=data.open_place,
        status=201,
    ),
    Verb(
        name="jobs submit",
        summary="Ask for a job: train, evaluate or tune by a recipe, or predict on all of an input",
        method="POST",
        path="/jobs",
        arguments=jobs.Submit,
        answer=JobState,
        run=jobs.submit,
        status=202,
        deployed=True,
    ),
    Verb(
        name="jobs list",
        summary="List the jobs, the newest first",
        method="GET",
        path="/jobs",
        arguments=jobs.ListJobs,
        answer=jobs.JobPage,
        run=jobs.list_all,
        deployed=True,
    ),
    Verb(
        name="jobs show",
        summary="Show how far a job is, or what came of it",
        method="GET",
        path=_JOB,
        arguments=jobs.OneJob,
        answer=JobDetails,
        run=jobs.show,
        deployed=True,
    ),
    Verb(
        name="jobs results",
        summary="List the files that a job made, and where to fetch them",
        method="GET",
        path=f"{_JOB}/results",
        arguments=job_results.ResultsOf,
        answer=job_results.ResultPage,
        run=job_results.list_results,
        deployed=True,
    ),
    Verb(
        name="jobs cancel",
        summary="End a job, and its parts",
        method="POST",
        path=f"{_JOB}/cancel",
        arguments=jobs.OneJob,
        answer=JobState,
        run=jobs.cancel,
        deployed=True,
    ),
    Verb(
        name="jobs retry",
        summary="Begin a job again that failed or was cancelled, from its checkpoint",
        method="POST",
        path=f"{_JOB}/retry",
        arguments=jobs.OneJob,
        answer=JobState,
        run=jobs.retry,
        status=202,
        deployed=True,
    ),
    Verb(
        name="jobs redrive",
        summary="Begin all failed jobs again that wait in the dead-letter queue, each once",
        method="POST",
        path="/jobs/redrive",
        arguments=jobs.Redrive,
        answer=jobs.Redriven,
        run=jobs.redrive,
        deployed=True,
    ),
    Verb(
        name="jobs purge",
        summary="Remove a job that has ended, its parts and all their files; what it published stays",
        method="DELETE",
        path=_JOB,
        arguments=jobs.OneJob,
        answer=job_purging.Purged,
        run=job_purging.purge,
        destructive=True,
        deployed=True,
    ),
)
