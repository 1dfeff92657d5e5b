"""What people who are away have written for their correspondents, in several languages."""

from email.header import Header

ABSENCES = {   # language: (subject, text)
    "en": ("Out of office", "I am out of the office until 30 November and cannot read my mail.\n"),
    "de": ("Abwesenheitsnotiz", "Ich bin bis zum 30. November nicht im Büro. Ihre Nachricht wird nicht weitergeleitet.\n"),
    "fr": ("Absence du bureau", "Je suis absente jusqu'au 30 novembre. Je répondrai à votre message dès mon retour.\n"),
    "es": ("Respuesta automática", "Estaré fuera de la oficina hasta el 30 de noviembre y responderé a mi regreso.\n"),
    "it": ("Assente dall'ufficio", "Sono in ferie fino al 30 novembre. Risponderò al più presto al mio rientro.\n"),
    "pl": ("Jestem poza biurem", "Jestem na urlopie do 30 listopada. Odpowiem na wiadomość po powrocie.\n"),
    "ja": ("不在のお知らせ", "11月30日まで休暇をいただいております。戻り次第ご連絡いたします。\n"),
}
NAMES = {"en": "ellen", "de": "dieter", "fr": "france", "es": "elena", "it": "ivano", "pl": "pawel", "ja": "jiro"}


def encoded(subject):
    """As it stands in a header (RFC 2047)."""
    return subject if subject.isascii() else Header(subject, "utf-8").encode()
