# The desk's image. Two targets: `desk` for web, workers and beat; `safe` adds a PostgreSQL server of the same major
# version, because only a restore proves a backup and a restore needs somewhere to go.
FROM python:3.13-slim AS desk

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PROMETHEUS_MULTIPROC_DIR=/tmp
WORKDIR /desk
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/bellwether desk \
    && install -d -o desk -g desk /var/lib/bellwether/backups
COPY requirements/base.txt requirements/base.txt
RUN pip install --require-hashes -r requirements/base.txt
COPY manage.py ./
COPY project project
COPY tasks tasks
COPY apps apps
USER desk
EXPOSE 8000
# What compose and orchestrators override; alone the image serves the pages and the API.
CMD ["python", "-m", "gunicorn", "project.wsgi:application", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "1", "--threads", "8", "--no-control-socket"]

FROM desk AS safe
USER root
# The distribution's package would create and own a cluster; ours is made and thrown away by verify_backup.
RUN mkdir -p /etc/postgresql-common \
    && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf \
    && apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-17 \
    && rm -rf /var/lib/apt/lists/*
USER desk
