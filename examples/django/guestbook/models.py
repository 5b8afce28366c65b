"""What is stored: the entries of the guest book."""

from django.db import models


class Entry(models.Model):
    """What one visitor wrote. `word_count` is empty until Celery has counted."""

    name = models.CharField(max_length=60)
    message = models.TextField(max_length=2000)
    word_count = models.PositiveIntegerField(null=True, blank=True, editable=False)
    created = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["-created", "-pk"]
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"{self.name}, {self.created:%Y-%m-%d %H:%M}"
