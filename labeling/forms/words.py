"""What each setting of a study means, what it is good for and what it costs, in plain words.

`HINTS` stand under their field; `MORE` is for who wants to know, and opens on demand.
"""

HINTS = {
    "question": "What is asked of each crop, as readers see it.",
    "guidelines": "How to decide, also in hard cases. Readers open them with g.",
    "experiments": "The pool: every crop of these experiments whose image quality control did not reject. "
    "All need the same number of channels.",
    "is_blind": "Annotators see neither experiment nor reason nor anybody else's answers. Leads do.",
    "shows_suggestions": "Readers see the model's likeliest class before they answer. Faster, and it pulls their "
    "answers towards the model. Not possible in a blind study.",
    "locks_view": "No zoom and no other contrast: everybody decides on the same picture.",
    "reads_per_crop": "How many annotators read every crop. Bad crops and ambiguous ones are read no further.",
    "overlap_share": "Of all other crops, the share that a second annotator reads, so that agreement is known. "
    "Answers to many crops at once do not count for it.",
    "adjudicates": "Where two annotators name different classes, a third one decides without seeing either.",
    "routes_not_sure_to_seniors": "What somebody is not sure of goes to members marked as senior under People.",
    "reread_share": "Share of an annotator's own crops that come back to them unannounced. It tells how steady each "
    "reader is; those answers never train the model.",
    "reread_after_days": "A crop comes back after so many days,",
    "reread_after_items": "or after so many other answers, whichever is first.",
    "strategy": "How the next crop is chosen. “uherding” is the default, “random” plain chance and the yardstick.",
    "random_share": "Drawn at random, one experiment after the other, and read twice. Only from these crops can be "
    "said whether the ranking helps; without them nothing can.",
    "coverage_share": "The hedge: crops that are unlike everything labelled, whatever the model thinks of them. It "
    "guards against a model that is sure and wrong.",
    "encoder": "What the ranking sees of a crop. The default needs no network and no GPU.",
    "sampling_temperature": "0: the best crop always comes next. Above 0 it is drawn: the better its score, the "
    "likelier.",
    "stream_in_training": "Decided now, once for the life of the study. On: they train the model too, and are "
    "predicted by models that did not see them. Off: they only test it.",
    "not_sure_as_soft_labels": "On: “not sure” counts half for each of the two classes that the model hesitates "
    "between. Off: it teaches no class.",
    "idle_cap_s": "A longer pause on one crop counts as this many seconds in the time spent.",
}
MORE = {
    "encoder": "A name on offer, file:NAME for a safetensors file in the folder of encoders, or hub:OWNER/NAME for "
    "one to download. Where it is not available the ranking takes another one and says so.",
    "coverage_share": "Its price: that share of the answers goes to crops that the strategy would not have chosen. "
    "docs/label-efficiency.md says what it costs on the development sets.",
    "sampling_temperature": "At 1 a crop is drawn in proportion to its score, higher nearer to pure chance. Each "
    "answer then keeps the probability with which its crop was drawn, to be weighted in a later analysis; "
    "at 0 it says “deterministic”. The price: crops that matter less are asked sooner; how many more answers that "
    "takes was not measured.",
    "not_sure_as_soft_labels": "Either way it goes to a second expert once; a second “not sure” freezes the crop as "
    "ambiguous. No benefit of soft labels was measured: compare both on your data first, with “manage.py "
    "label_efficiency --annotator not-sure --soft-not-sure”.",
    "is_blind": "Hidden are: names of experiments, samples and images, keys that tell where a crop is from, why it "
    "is asked, other readers' answers and comments, and whatever a model says, also over the API and in addresses.",
    "overlap_share": "Which crops are shared is drawn by lot from the crop itself: nobody can steer it, and it stays "
    "the same when the share is changed back.",
}
LABELS = {
    "mixes_experiments": "These experiments belong together all the same",
    "strategy": "Strategy",
    "encoder": "Encoder",
    "coverage_share": "Hedge, % of queries",
    "sampling_temperature": "Temperature of the draws",
    "random_share": "Random stream, % of queries",
    "overlap_share": "Shared crops, %",
    "reads_per_crop": "Reads per crop",
    "is_blind": "Blind",
    "shows_suggestions": "Show suggestions",
    "locks_view": "Lock the view",
    "adjudicates": "A third reader decides",
    "routes_not_sure_to_seniors": "“Not sure” goes to seniors",
    "reread_share": "Re-reads, %",
    "reread_after_days": "Earliest re-read, days",
    "reread_after_items": "Earliest re-read, answers",
    "idle_cap_s": "Longest pause that counts, seconds",
    "stream_in_training": "Answers of the random stream train the model",
    "not_sure_as_soft_labels": "Use “not sure” as a soft label",
}
