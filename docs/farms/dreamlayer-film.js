// A job type for Flamenco: copy it into the folder `scripts` beside flamenco-manager.
// A task for each shot, then one that puts the film together. All computers see the same folders.

const JOB_TYPE = {
    label: "Dreamlayer Film",
    description: "Dream on a film, a task a shot",
    settings: [
        { key: "film", type: "string", required: true,
          description: "The video, or the folder of its frames" },
        { key: "output", type: "string", required: true,
          description: "The film to make, e.g. /films/dream.mp4, or a folder for its frames" },
        { key: "cuts", type: "string", default: "none",
          description: "The first frames of new shots, e.g. 48,96; dreamlayer film --list-shots finds them" },
        { key: "options", type: "string", default: "--preset animals --seed 7",
          description: "What to dream, as for dreamlayer film; without quotation marks" },
        { key: "dreamlayer", type: "string", default: "dreamlayer",
          description: "The program" },
    ]
};

function compileJob(job) {
    const settings = job.settings;
    const starts = settings.cuts === "none" ? [] : settings.cuts.split(",");
    const shots = starts.length + 1;
    const common = [
        "film", settings.film, "-o", settings.output, "--cuts", settings.cuts, "--resume",
    ].concat(settings.options.split(" ").filter(word => word.length > 0));

    const whole = author.Task("film", "misc");
    for (let shot = 1; shot <= shots; shot++) {
        const task = author.Task(`shot-${shot}`, "misc");
        const which = ["--shot", String(shot), "--of", String(shots)];
        task.addCommand(author.Command("exec", { exe: settings.dreamlayer, args: common.concat(which) }));
        job.addTask(task);
        whole.addDependency(task);
    }
    whole.addCommand(author.Command("exec", { exe: settings.dreamlayer, args: common }));
    job.addTask(whole);
}
