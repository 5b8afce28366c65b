"""The admin page of the entries."""

from django.contrib import admin

from guestbook.models import Entry


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):
    """Entries, newest first, searchable; the count of words is Celery's and only shown."""

    list_display = ["name", "created", "word_count"]
    search_fields = ["name", "message"]
    readonly_fields = ["created", "word_count"]
