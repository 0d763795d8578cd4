"""Members that the arguments of many verbs share, each with what it may be."""

from typing import Annotated

import msgspec

from lampyris.domain.layout import NOWHERE

_WHOLE = 100

ModelName = Annotated[str, msgspec.Meta(description="The name of a model.")]
AliasName = Annotated[str, msgspec.Meta(description="The name of an alias.")]
UploadName = Annotated[str, msgspec.Meta(description="The name of an upload.")]
VersionNumber = Annotated[int, msgspec.Meta(ge=1, le=999_999_999, description="The number of a version.")]
Percent = Annotated[int, msgspec.Meta(ge=1, le=_WHOLE, description="A share of the requests, in percent.")]
RejectedModel = Annotated[
    str,
    msgspec.Meta(description=f"The name of a model; `{NOWHERE}` stands for places at which no model can be."),
]
JobName = Annotated[str, msgspec.Meta(description="The name of a job.")]
