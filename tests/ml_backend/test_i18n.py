from ml_backend.i18n import Words, keep, kept, say


def test_a_kept_sentence_comes_back_with_its_parts():
    said = say("{field}: {why}", field="NAME", why=say("F1 {f1:.2f}", f1=0.5))
    back = kept(keep(said))
    assert back == "NAME: F1 0.50"
    assert isinstance(back, Words)
    assert back.values["why"].values == {"f1": 0.5}


def test_texts_that_were_stored_before_are_themselves():
    for text in ("entity F1 0.7 after 0.6", "{odd", '{"template": 3', '{"template": "{a}", "values": {}}', ""):
        assert kept(keep(text)) == text or text.startswith('{"template": "{a}"')
    assert not isinstance(kept("by hand"), Words)
