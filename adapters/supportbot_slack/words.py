"""The few sentences that the adapter says itself, by language."""

from __future__ import annotations

from collections.abc import Mapping

_WORDS: Mapping[str, Mapping[str, str]] = {
    "see_dm": {
        "en": "Got it. The answer is in your direct messages with me.",
        "de": "Verstanden. Die Antwort steht in deinen Direktnachrichten mit mir.",
        "fr": "C'est noté. La réponse est dans vos messages directs avec moi.",
        "es": "Entendido. La respuesta está en tus mensajes directos conmigo.",
    },
    "not_yours": {
        "en": "This choice is for somebody else. Mention me to ask your own question.",
        "de": "Diese Auswahl ist für jemand anderen. Erwähne mich, um selbst etwas zu fragen.",
        "fr": "Ce choix s'adresse à quelqu'un d'autre. Mentionnez-moi pour poser votre question.",
        "es": "Esta elección es para otra persona. Mencióname para hacer tu propia pregunta.",
    },
    "about": {
        "en": "About your message in {place}:",
        "de": "Zu deiner Nachricht in {place}:",
        "fr": "Au sujet de votre message dans {place} :",
        "es": "Sobre tu mensaje en {place}:",
    },
    "working": {
        "en": "is working on an answer …",
        "de": "arbeitet an einer Antwort …",
        "fr": "prépare une réponse …",
        "es": "prepara una respuesta …",
    },
}


def say(what: str, locale: str, **values: str) -> str:
    """The sentence in the locale's language, in English if it is not there."""
    sentences = _WORDS[what]
    language = locale.replace("_", "-").partition("-")[0].lower()
    return sentences.get(language, sentences["en"]).format(**values)
