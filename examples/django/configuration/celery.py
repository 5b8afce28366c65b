"""The Celery application: work that a visitor should not wait for.

`celery --app configuration worker` runs it in processes of its own, beside the server. The server's workers only
put tasks into the broker. Where tasks are, says Django's list of applications; how to reach the broker, say the
settings that begin with `CELERY_`.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "configuration.settings")

application = Celery("configuration")
application.config_from_object("django.conf:settings", namespace="CELERY")
application.autodiscover_tasks()
