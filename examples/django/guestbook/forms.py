"""What a visitor may send."""

from django import forms

from guestbook.models import Entry


class EntryForm(forms.ModelForm):
    """A new entry: name and message, both required, their lengths limited by the model."""

    class Meta:
        model = Entry
        fields = ["name", "message"]
        widgets = {"message": forms.Textarea(attrs={"rows": 4})}
