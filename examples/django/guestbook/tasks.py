"""What is done beside the requests, in Celery's processes (or within the request when there is no broker)."""

from celery import shared_task

from guestbook.models import Entry


@shared_task
def count_words(entry_id: int) -> None:
    """Counts the words of an entry and stores the count. May run twice; an entry deleted meanwhile is no error."""
    for entry in Entry.objects.filter(pk=entry_id):
        Entry.objects.filter(pk=entry_id).update(word_count=len(entry.message.split()))
