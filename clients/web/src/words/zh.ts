import { SourceNoteKind } from "stemwire/proto";
import { leftOut } from "../session/stems";
import type { Words } from "./words";
import { bytes, clock, figure, list, span } from "./forms";

const STEMS: Record<string, string> = {
  vocals: "人声",
  drums: "鼓",
  bass: "贝斯",
  other: "其他",
  accompaniment: "伴奏",
  guitar: "吉他",
  piano: "钢琴",
};

const FORMATS: Record<string, string> = {
  "wav-f32": "WAV，32 位浮点",
  "wav-s24": "WAV，24 位",
  "wav-s16": "WAV，16 位",
  flac: "FLAC",
  "flac-s16": "FLAC，16 位",
  aiff: "AIFF，24 位",
  "aiff-s16": "AIFF，16 位",
  opus: "Opus",
  mp3: "MP3",
  "m4a-alac": "M4A，ALAC，24 位",
  "m4a-alac-s16": "M4A，ALAC，16 位",
  "m4a-aac": "M4A，AAC",
};

function stem(name: string): string {
  const rest = leftOut(name);
  return STEMS[name] ?? (rest === null ? name : `无${stem(rest)}`);
}

export const zh: Words = {
  tagline: "把歌曲分成音轨",
  skipToContent: "跳到歌曲",
  otherLanguage: "English",
  theme: { auto: "颜色：跟随系统", light: "颜色：浅色", dark: "颜色：深色" },

  headline: "把一首歌拆开来听",
  lead: "人声、鼓、贝斯和其余部分各成一轨。歌曲还在上传，就可以开始听。",
  choose: "选择歌曲",
  chooseMore: "添加歌曲",
  orDrop: "或拖放到本页任意位置",
  dropNow: "松手开始分离",
  formats: "MP3、WAV、FLAC、M4A、Opus、Ogg Vorbis、AIFF、AAC、MP4、WebM、MKV",
  stemsWanted: "音轨",
  allStems: "全部音轨和伴奏",
  pair: "人声和伴奏",
  part: "歌曲片段",
  partStart: "片段开始",
  partEnd: "片段结束",
  partHint: "分:秒，例如 1:30；留空为整首歌曲",
  model: "模型",
  anyModel: "服务器默认",
  byQuality: "自动选择",
  quality: { fast: "最快", balanced: "均衡", best: "最佳" },
  qualityRule: {
    fast: "已安装模型中实测最快的",
    balanced: "在本机快于实时的已安装模型中，公布指标最好的",
    best: "已安装模型中公布指标最好的，不计耗时",
  },
  modelStems: (stems) => `音轨 ${stems}`,
  modelLicence: (licence, commercialUse) =>
    `许可证 ${licence}；商业使用${commercialUse === undefined ? "未说明" : commercialUse ? "允许" : "不允许"}`,
  modelSize: (size) => `大小 ${size}`,
  modelFigures: (figures, data, source) => `${data} 上的 SDR：${figures}（${source}）`,
  modelSpeed: (factor, execution) => `速度为实时的 ${figure(factor)} 倍（实测，${execution}）`,
  modelSlow: (factor, execution) =>
    `速度为实时的 ${figure(factor)} 倍，慢于实时：一分钟的歌曲需要 ${figure(1 / factor)} 分钟（实测，${execution}）`,
  modelUnmeasured: "速度尚未测量",
  slow: "慢于实时",

  songs: "歌曲",
  noSongs: "还没有歌曲。",
  moreSongs: "显示更早的",
  untitled: "未命名歌曲",
  openSong: (name) => `打开 ${name}`,
  removeFromQueue: (name) => `不再上传 ${name}`,
  deleteSong: (name) => `删除 ${name}`,
  deleteQuestion: (name) => `要从服务器上删除“${name}”及其音轨吗？`,
  deleteConfirm: "删除",
  keep: "保留",
  close: "关闭",

  waitsToBeSent: "等待上传",
  sending: "正在上传",
  sent: "已上传",
  preparing: "正在准备",
  separating: "正在分离",
  inQueue: (position) => `排队中，第 ${position} 位`,
  paused: "已暂停",
  delayed: "等待服务器资源",
  done: "已完成",
  failed: "失败",
  cancelled: "已取消",
  bytesOf: (sent, whole) => `${sent} / ${whole}`,
  timeLeft: (seconds) =>
    seconds < 10 ? "还剩几秒"
    : seconds < 60 ? `约剩 ${Math.ceil(seconds / 10) * 10} 秒`
    : seconds < 5400 ? `约剩 ${Math.round(seconds / 60)} 分钟`
    : `约剩 ${Math.round(seconds / 3600)} 小时`,
  duration: (seconds) => {
    const whole = Math.floor(seconds);
    const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const part = (count: number, name: string) => (count === 0 ? "" : `${count} ${name}`);
    return list([part(hours, "小时"), part(minutes, "分"), part(rest, "秒")], " ") || "0 秒";
  },
  percent: (share) => `${Math.floor(share * 100)}%`,
  bytes: (count) => bytes(count, "zh"),
  when: (date) => date.toLocaleString("zh-CN", { dateStyle: "medium", timeStyle: "short" }),

  cancel: "取消",
  tryAgain: "重试",
  goesOnIn: (seconds) => (seconds < 1 ? "正在重试……" : `${seconds} 秒后重试`),
  uploadStopped: "上传没有完成",
  uploadStoppedHere: (held, whole, name) =>
    `服务器已收到 ${whole === null ? held : `${held}（共 ${whole}）`}。请再次选择${name === null ? "同一个文件" : `“${name}”`}，` +
    "上传会从那里继续；网页不能自行打开文件。",
  chooseAgain: "选择文件",
  elsewhere: "这首歌正从别处上传。",

  player: "播放器",
  play: "播放",
  pause: "暂停",
  waitingForSound: "正在缓冲",
  position: "位置",
  positionOf: (position, whole) => `${position}，共 ${whole}`,
  volume: "音量",
  keys: "键盘",
  keyList: [
    ["空格", "播放和暂停"],
    ["← →", "后退和前进 5 秒"],
    ["1 2 3 …", "静音某一轨"],
    ["Shift 1 …", "只听某一轨"],
    ["[ ]", "循环的起点和终点"],
    ["L", "取消循环"],
    ["- +", "减速和加速"],
    ["?", "显示这些按键"],
  ],

  practice: "练习",
  loop: "循环",
  noLoop: "在波形上拖动选取",
  loopFrom: (start) => `起点 ${start}`,
  loopOf: (start, end) => `${start} 至 ${end}`,
  loopStart: "循环从这里开始",
  loopEnd: "循环到这里结束",
  loopClear: "取消循环",
  speed: "速度",
  pitch: "音高",
  semitones: (count) => `${count > 0 ? "+" : count < 0 ? "−" : ""}${Math.abs(count)} 半音`,
  transposed: (count) => (count === 0 ? "原调" : `${count > 0 ? "升" : "降"} ${Math.abs(count)} 个半音`),
  reset: (title) => `还原：${title}`,
  stretchNeedsHttps: "调整速度和音高需要安全连接：请通过 HTTPS 打开本页，或在运行服务器的电脑上打开。",
  stretchFailed: "无法调整速度和音高：浏览器不能运行所需的代码。",
  stretchLoads: "正在加载变速和变调",
  countIn: "预备拍",
  countInHint: "播放前先数四拍",
  beats: "4 拍",
  tempo: "每分钟拍数",
  tap: "打拍",
  tapHint: "点按打出速度",

  stems: "音轨",
  stem,
  sumHint: (stem) => `${stem}以外的全部`,
  mute: (stem) => `静音：${stem}`,
  solo: (stem) => `只听：${stem}`,
  volumeOf: (stem) => `${stem}的音量`,
  downloads: "下载",
  format: "格式",
  channelsOfFiles: "声道",
  formatName: (format) => FORMATS[format] ?? format,
  downloadStem: (stem) => `下载${stem}`,
  downloadMix: "下载此混音",
  mixHint: "按当前的静音、独奏和音量合成一个文件",
  mixRefused: {
    silent: "所有音轨都已静音",
    twice: "伴奏等合成音轨与其中的音轨会重复计算：请将其一静音",
  },
  downloadAll: "全部下载（ZIP）",
  downloadsLater: "歌曲完成后可以下载文件。",

  details: "详细信息",
  engine: "模型",
  source: "上传文件",
  weights: "权重",
  unverified: "未确认为作者原版",
  isReference: "测量结果：服务器上没有更快且信噪比达标的执行方式",
  comparison: (speed, snrDb) => `测量结果：速度是 cpu · f32 的 ${speed.toFixed(2)} 倍，信噪比 ${snrDb.toFixed(0)} dB`,
  engineChanged: (from, to, at, why) => `从 ${at} 起由 ${to} 接替 ${from}：${why}。`,
  changeReason: {
    ENGINE_FAILED: "它在同一处失败了两次",
    ENGINE_NOT_FINITE: "它给出的不是有效数值",
    ENGINE_TIMEOUT: "它超过了时间限制",
    ENGINE_PANICKED: "它的代码崩溃",
    ENGINE_CRASHED: "它使自己的进程崩溃",
    MODEL_UNAVAILABLE: "无法加载它",
    BREAKER_OPEN: "它在别的歌曲上多次失败",
    SERVER_RESTARTED: "服务器重启后使用了另一个库或线程数",
    MODEL_REPLACED: "它的权重已被替换",
  },
  unverifiedModel: (model) => `未确认 ${model} 的权重为作者原版。`,
  channels: (count) => (count === 1 ? "单声道" : count === 2 ? "立体声" : `${count} 个声道`),
  conversion: {
    [SourceNoteKind.RESAMPLED]: (from, to) => `采样率从 ${from / 1000} kHz 转换为 ${to / 1000} kHz`,
    [SourceNoteKind.BAND_LOST]: (_from, to) => `不保留 ${to / 1000} kHz 以上的内容`,
    [SourceNoteKind.MONO_COPIED]: () => "单声道已复制到左右两侧",
    [SourceNoteKind.DOWNMIXED]: (from, to, method) => `${method && `按 ${method} `}从 ${from} 个声道混合为 ${to} 个`,
    [SourceNoteKind.TRACK_CHOSEN]: (_from, to, _method, count) => `第 ${to} 条音轨，共 ${count} 条`,
  },
  damage: {
    [SourceNoteKind.FRAMES_SILENCED]: (seconds) => `上传文件中有 ${span(seconds)} 无法解码，已用静音代替。`,
    [SourceNoteKind.PACKETS_DAMAGED]: (count) => `损坏的数据包（已用静音代替）：${count}`,
    [SourceNoteKind.GAPS_FILLED]: (count) => `数据流中的缺口（已用静音填补）：${count}`,
    [SourceNoteKind.SAMPLES_INVALID]: (count) => `非有限值的采样（已用静音代替）：${count}`,
    [SourceNoteKind.BYTES_SKIPPED]: (count) => `跳过的非音频、非标签字节：${count}`,
    [SourceNoteKind.STREAMS_SKIPPED]: (count) => `文件头损坏而跳过的后续音频流：${count}`,
    [SourceNoteKind.FRAMES_MISSING]: (seconds) => `缺少文件头声明的 ${span(seconds)}：文件被剪切过或不完整。`,
    [SourceNoteKind.LIVE_CUT]: (seconds) => `实时音源在 ${clock(seconds)} 的上限处结束。`,
    [SourceNoteKind.COVER_LEFT_OUT]: () => "封面图片未写入：超过 4 MB、已损坏，或既非 JPEG 也非 PNG。",
  },

  tokenTitle: "此服务器需要令牌",
  tokenLead: "可向服务器的管理者索取。令牌会保留到关闭本标签页为止。",
  tokenLabel: "令牌",
  tokenSend: "继续",

  licences: "许可证",
  connectionBack: "连接已恢复。",
  request: "请求编号",
  unknownProblem: ["出了点问题", "请重试；如果问题依旧，服务器日志里有更多信息。"],
};
