# syntax=docker/dockerfile:1
# The image of the train function, and of the machines that AWS Batch starts: the build, with torch for CPUs.
#
#   docker build -t lampyris-train .
#
# Estimators and networks of your own do not belong to it: jobs run what is here and nothing else.
FROM python:3.13-slim

WORKDIR /source
COPY constraints.txt .
# From its own index, as the one on PyPI brings what only GPUs want.
RUN grep -E '^torch==' constraints.txt > torch.txt \
    && pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu -r torch.txt
COPY pyproject.toml README.md LICENSE template.yaml ./
COPY functions functions
COPY build build
COPY local local
COPY recipes recipes
RUN pip install --no-cache-dir --constraint constraints.txt ".[build]" awslambdaric

# Lambda says where its runtime is; on a machine, the command is a program:
#   python -m lampyris_build.jobs.machine JOB
COPY --chmod=755 <<'SCRIPT' /entrypoint
#!/bin/sh
if [ -n "$AWS_LAMBDA_RUNTIME_API" ]; then
    exec python -m awslambdaric "$@"
fi
exec "$@"
SCRIPT

WORKDIR /var/task
# All that Lambda lets a function write.
ENV HOME=/tmp
ENTRYPOINT ["/entrypoint"]
CMD ["lampyris.handlers.train.handler"]
