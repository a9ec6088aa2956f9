//! Which faults there are: what each does to a ring, and what is promised while it lasts.

use std::time::Duration;

use crate::clock::Clock;
use crate::faults::enclosure::run;
use crate::faults::lan::Wire;
use crate::faults::load::Why;
use crate::faults::proxy::SlowWays;
use crate::faults::stage::{Effect, MEMBERS, Stage, Terms};
use crate::raw::RawConnection;

/// Well below `peer_timeout`: what passes between members is held up for up to this long each time.
const SLOWNESS: Duration = Duration::from_millis(15);
/// How much room a member has for its logs when it has hardly any.
const SMALL: &str = "128k";
/// How many files a member may have open when it may have few, and how many connections take them all.
const FEW_FILES: u32 = 64;
const IDLE_CONNECTIONS: usize = 128;

/// What happens to a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Nothing.
    Nothing,
    /// As many members as may be lost are killed at once, and started again.
    Crash,
    /// A member stops for longer than `peer_timeout`, and goes on.
    Pause,
    /// A member is cut off from all others.
    Cut,
    /// A member hears nobody.
    Deaf,
    /// Nobody hears a member.
    Mute,
    /// A few packets are lost everywhere.
    Loss,
    /// Many are.
    HeavyLoss,
    /// Everything between members is late, by a time that changes.
    Delay,
    /// Clients leave no file for a member to open.
    OpenFiles,
    /// A member cannot write its log, and another one crashes meanwhile.
    FullLog,
    /// The clock of a member is set forward and back.
    ClockSteps,
    /// Every member is stopped in good order and started again, one after the other.
    RollingRestart,
    /// A member leaves the list, and comes back to it.
    MemberList,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Nothing,
        Self::Crash,
        Self::Pause,
        Self::Cut,
        Self::Deaf,
        Self::Mute,
        Self::OpenFiles,
        Self::FullLog,
        Self::RollingRestart,
        Self::MemberList,
        Self::ClockSteps,
        Self::Delay,
        Self::Loss,
        Self::HeavyLoss,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Crash => "crash",
            Self::Pause => "pause",
            Self::Cut => "cut",
            Self::Deaf => "deaf",
            Self::Mute => "mute",
            Self::Loss => "loss",
            Self::HeavyLoss => "heavy-loss",
            Self::Delay => "delay",
            Self::OpenFiles => "open-files",
            Self::FullLog => "full-log",
            Self::ClockSteps => "clock-steps",
            Self::RollingRestart => "rolling-restart",
            Self::MemberList => "member-list",
        }
    }

    /// What it is, for a table.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Nothing => "nothing, to compare with",
            Self::Crash => "kill -9 of as many members as may be lost, and restart",
            Self::Pause => "SIGSTOP, later SIGCONT",
            Self::Cut => "link of a member cut, both ways",
            Self::Deaf => "one-way cut: a member hears nobody",
            Self::Mute => "one-way cut: nobody hears a member",
            Self::Loss => "5 % of all packets between members lost",
            Self::HeavyLoss => "20 % of all packets between members lost",
            Self::Delay => "everything between members up to 15 ms late, in changing order",
            Self::OpenFiles => "no file left to open: idle connections up to the limit",
            Self::FullLog => "log on a full file system, and kill -9 of another member",
            Self::ClockSteps => "clock of a running member +10 min, then -10 min",
            Self::RollingRestart => "SIGTERM and start of every member, one by one",
            Self::MemberList => "a member leaves the list and comes back (SIGTERM, SIGHUP)",
        }
    }

    /// Whether each key is promised to be linearizable meanwhile: always but in a partition.
    #[must_use]
    pub const fn promises_linearizable(self) -> bool {
        !matches!(self, Self::Cut | Self::Deaf | Self::Mute)
    }

    /// What the members of the ring that it happens to take from each other.
    #[must_use]
    pub const fn terms(self) -> Terms {
        // What is lost on the way is sent again after 200 ms, then 400, and so on. Where that is to be no fault of a member,
        // it has to be given the time.
        let loses = matches!(self, Self::Loss | Self::HeavyLoss);
        let peer_timeout = Duration::from_millis(if loses { 5000 } else { 300 });
        // On the slow way all members come from the same address.
        Terms { peer_timeout, has_secret: matches!(self, Self::Delay) }
    }

    /// Whether no request may fail meanwhile.
    #[must_use]
    pub const fn fails_nobody(self) -> bool {
        matches!(
            self,
            Self::Nothing | Self::Delay | Self::ClockSteps | Self::RollingRestart | Self::MemberList
        )
    }

    /// Has it happen.
    ///
    /// # Panics
    /// When something happens that no fault explains.
    pub async fn play(self, stage: &mut Stage) -> Effect {
        match self {
            Self::Nothing => nothing(stage).await,
            Self::Crash => crash(stage).await,
            Self::Pause => pause(stage).await,
            Self::Cut => spoil_one(stage, self, Wire::Cut).await,
            Self::Deaf => spoil_one(stage, self, Wire::Deaf).await,
            Self::Mute => spoil_one(stage, self, Wire::Mute).await,
            Self::Loss => lose_packets(stage, self, 5).await,
            Self::HeavyLoss => lose_packets(stage, self, 20).await,
            Self::Delay => delay(stage).await,
            Self::OpenFiles => open_files(stage).await,
            Self::FullLog => full_log(stage).await,
            Self::ClockSteps => clock_steps(stage).await,
            Self::RollingRestart => rolling_restart(stage).await,
            Self::MemberList => member_list(stage).await,
        }
    }
}

async fn nothing(stage: &mut Stage) -> Effect {
    let play = stage.begin("nothing").await;
    play.load.go_on_for(stage.time).await;
    stage.end(play).await
}

async fn crash(stage: &mut Stage) -> Effect {
    let victims = stage.victims(stage.replicas() - 1);
    let mut play = stage.begin("crash").await;
    for victim in &victims {
        stage.kill(&play, *victim);
    }
    play.load.go_on_for(stage.time).await;
    play.over();
    for victim in victims {
        stage.start(&play, victim).await;
    }
    stage.end(play).await
}

async fn pause(stage: &mut Stage) -> Effect {
    let victim = stage.victims(1)[0];
    let mut play = stage.begin("pause").await;
    play.load.shun(victim, Why::Lost);
    stage.ring.pause(victim);
    play.load.go_on_for(stage.time).await;
    stage.ring.resume(victim);
    play.over();
    // At once: a member that was stopped must know it before it answers anybody.
    play.load.use_again(victim);
    stage.end(play).await
}

async fn spoil_one(stage: &mut Stage, scenario: Scenario, wire: Wire) -> Effect {
    let victim = stage.victims(1)[0];
    let mut play = stage.begin(scenario.name()).await;
    play.load.shun(victim, Why::CutOff);
    stage.lan.spoil(victim, wire);
    play.load.go_on_for(stage.time).await;
    stage.lan.heal();
    play.over();
    stage.wait_until_whole().await;
    play.load.use_again(victim);
    stage.end(play).await
}

async fn lose_packets(stage: &mut Stage, scenario: Scenario, percent: u8) -> Effect {
    let mut play = stage.begin(scenario.name()).await;
    for member in 0..MEMBERS {
        stage.lan.spoil(member, Wire::Lossy(percent));
    }
    play.load.go_on_for(stage.while_slow).await;
    stage.lan.heal();
    play.over();
    stage.end(play).await
}

async fn delay(stage: &mut Stage) -> Effect {
    let mut ways = Vec::new();
    for member in 0..MEMBERS {
        let slow = SlowWays::open(&stage.lan.addresses(), SLOWNESS).await;
        stage.lan.divert(member, slow.ways());
        ways.push(slow);
    }
    // Only new connections take the slow way, so each member begins anew.
    for member in 0..MEMBERS {
        stage.start_again_by(member, &[], None).await;
    }
    let mut play = stage.begin("delay").await;
    play.load.go_on_for(stage.while_slow).await;
    play.over();
    let effect = stage.end(play).await;
    stage.lan.heal();
    drop(ways);
    stage.wait_until_whole().await;
    effect
}

async fn open_files(stage: &mut Stage) -> Effect {
    let victim = stage.victims(1)[0];
    let mut play = stage.begin("open-files").await;
    play.load.shun(victim, Why::Lost);
    let process = stage.ring[victim].process_id().to_string();
    let limit = |files: &str| run(&["prlimit", "--pid", &process, &format!("--nofile={files}:")]);
    let before = run(&["prlimit", "--pid", &process, "--nofile", "--output", "SOFT", "--noheadings"]);
    limit(&FEW_FILES.to_string());
    let mut idle = Vec::new();
    for _ in 0..IDLE_CONNECTIONS {
        idle.push(RawConnection::open(stage.ring[victim].address()).await);
    }
    play.load.go_on_for(stage.time).await;
    drop(idle);
    limit(before.trim());
    play.over();
    stage.wait_until_whole().await;
    play.load.use_again(victim);
    stage.end(play).await
}

async fn full_log(stage: &mut Stage) -> Effect {
    let [writer, victim] = stage.victims(2)[..] else { unreachable!("two were asked for") };
    stage.start_again_by(writer, &[], Some(SMALL)).await;
    let mut play = stage.begin("full-log").await;
    let filler = stage.folder(writer).join("filler");
    // Until there is no room for a byte.
    while append(&filler, &[0; 4096]) || append(&filler, &[0]) {}
    stage.kill(&play, victim);
    play.load.go_on_for(stage.time).await;
    play.over();
    stage.start(&play, victim).await;
    let effect = stage.end(play).await;
    assert!(!append(&filler, &[0]), "there was room for logs all the time");
    std::fs::remove_file(filler).expect("it is ours");
    effect
}

fn append(file: &std::path::Path, bytes: &[u8]) -> bool {
    let file = std::fs::File::options().create(true).append(true).open(file);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, bytes)).is_ok()
}

async fn clock_steps(stage: &mut Stage) -> Effect {
    let victim = stage.victims(1)[0];
    let clock = Clock::new(stage.folder(victim).join("clock"));
    stage.start_again_by(victim, &clock.wrapper(), None).await;
    let mut play = stage.begin("clock-steps").await;
    for offset in ["+600", "-600"] {
        clock.set(offset);
        play.load.go_on_for(stage.time).await;
    }
    clock.set("+0");
    play.over();
    let effect = stage.end(play).await;
    stage.start_again_by(victim, &[], None).await;
    effect
}

async fn rolling_restart(stage: &mut Stage) -> Effect {
    let mut play = stage.begin("rolling-restart").await;
    for member in 0..MEMBERS {
        play.load.shun(member, Why::Leaving);
        stage.ring.stop(member).await;
        stage.start(&play, member).await;
    }
    play.over();
    stage.end(play).await
}

async fn member_list(stage: &mut Stage) -> Effect {
    let victim = stage.victims(1)[0];
    let all: Vec<_> = (0..MEMBERS).collect();
    let rest: Vec<_> = all.iter().copied().filter(|member| *member != victim).collect();
    let mut play = stage.begin("member-list").await;
    play.load.shun(victim, Why::Leaving);
    stage.ring.stop(victim).await;
    stage.list(&rest);
    stage.wait_until_whole().await;
    play.load.go_on_for(stage.time).await;
    play.over();
    stage.list(&all);
    stage.start(&play, victim).await;
    stage.end(play).await
}
