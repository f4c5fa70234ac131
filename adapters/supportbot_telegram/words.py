"""The few words that the channel itself says, in the customer's language."""

from __future__ import annotations

from collections.abc import Mapping

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "help": "What I can do",
        "human": "Talk to a human",
        "cancel": "Stop what we are doing",
        "not_yours": "These buttons are for somebody else.",
        "chosen": "You have already chosen here.",
        "personal": "My answer is only for you. Open our own chat and ask me there.",
        "open": "Open chat",
    },
    "de": {
        "help": "Was ich kann",
        "human": "Mit einem Menschen sprechen",
        "cancel": "Abbrechen, was wir gerade tun",
        "not_yours": "Diese Knöpfe sind für jemand anderen.",
        "chosen": "Hier haben Sie schon gewählt.",
        "personal": "Meine Antwort ist nur für Sie. Öffnen Sie unseren eigenen Chat und fragen Sie mich dort.",
        "open": "Chat öffnen",
    },
    "fr": {
        "help": "Ce que je sais faire",
        "human": "Parler à une personne",
        "cancel": "Arrêter ce que nous faisons",
        "not_yours": "Ces boutons sont pour quelqu'un d'autre.",
        "chosen": "Vous avez déjà choisi ici.",
        "personal": "Ma réponse n'est que pour vous. Ouvrez notre propre discussion et posez-moi la question là.",
        "open": "Ouvrir la discussion",
    },
    "es": {
        "help": "Lo que puedo hacer",
        "human": "Hablar con una persona",
        "cancel": "Parar lo que estamos haciendo",
        "not_yours": "Estos botones son para otra persona.",
        "chosen": "Aquí ya ha elegido.",
        "personal": "Mi respuesta es solo para usted. Abra nuestro propio chat y pregúntemelo allí.",
        "open": "Abrir el chat",
    },
}


def say(key: str, locale: str = "") -> str:
    """The words in the locale's language, in English if there are none in it."""
    language = locale.replace("_", "-").split("-")[0].lower()
    return _WORDS.get(language, _WORDS["en"]).get(key) or _WORDS["en"][key]
