"""`accelerate launch`, from Hugging Face. Source: `commands/launch.py` and `utils/launch.py` of accelerate 1.14.

It passes settings to its program as variables; those are set here instead.
"""

from __future__ import annotations

from toolkit.manifest.launchers.model import (
    STARTS_NOTHING,
    Launcher,
    Option,
    Style,
    always,
    counts,
    each,
    left_out,
    marks,
    refused,
    sets,
)

_DEEPSPEED = refused("give the program a DeepSpeedPlugin: Accelerator(deepspeed_plugin=…)")
_MEGATRON = refused("give the program a MegatronLMPlugin: Accelerator(megatron_lm_plugin=…)")
_FP8 = refused("give the program what it needs for it: Accelerator(kwargs_handlers=[…RecipeKwargs()])")
_PARALLELISM = refused("give the program a ParallelismConfig: Accelerator(parallelism_config=…)")
_FILE = refused("its settings are not read from a file: give them as options, or in the program")
_NOT_HERE = refused("there are no such machines here")
_DYNAMO_SWITCHES = ("dynamo_use_fullgraph", "dynamo_use_dynamic", "dynamo_use_regional_compilation")


def _number(text: str) -> str:
    if not text.isdecimal():
        raise ValueError("expected a whole number")
    return text


def _fsdp() -> tuple[Option, ...]:
    """FSDP_<NAME> for each; booleans in lower case."""
    same = "version min_num_params sharding_strategy auto_wrap_policy backward_prefetch state_dict_type ignored_modules"
    switches = (
        "offload_params reshard_after_forward forward_prefetch use_orig_params cpu_ram_efficient_loading "
        "sync_module_states activation_checkpointing"
    )
    return (
        *(Option((f"--fsdp_{name}",), sets(f"FSDP_{name.upper()}")) for name in same.split()),
        *(Option((f"--fsdp_{name}",), sets(f"FSDP_{name.upper()}", str.lower)) for name in switches.split()),
        Option(("--fsdp_transformer_layer_cls_to_wrap",), sets("FSDP_TRANSFORMER_CLS_TO_WRAP")),
        Option(("--use_fsdp",), sets("ACCELERATE_USE_FSDP", always("true")), 0),
    )


def _all_of(prefix: str, names: str) -> str:
    return ",".join(f"--{prefix}_{name}" for name in names.split())


_DEEPSPEED_NAMES = _all_of(
    "deepspeed", "config_file hostfile exclusion_filter inclusion_filter multinode_launcher moe_layer_cls_names"
)
_OFFLOAD_NAMES = _all_of("offload", "optimizer_device param_device optimizer_nvme_path param_nvme_path")
_MEGATRON_NAMES = _all_of(
    "megatron_lm",
    "tp_degree use_custom_fsdp no_load_optim eod_mask_loss overlap_cpu_optimizer_d2h_h2d no_save_optim "
    "optimizer_cpu_offload use_precision_aware_optimizer decoder_last_pipeline_num_layers pp_degree num_micro_batches "
    "sequence_parallelism recompute_activations use_distributed_optimizer gradient_clipping recompute_granularity "
    "recompute_method recompute_num_layers attention_backend expert_model_parallel_size context_parallel_size "
    "attention_dropout hidden_dropout attention_softmax_in_fp32 expert_tensor_parallel_size calculate_per_token_loss "
    "use_rotary_position_embeddings",
)
_FP8_NAMES = _all_of(
    "fp8",
    "backend margin interval format amax_history_len amax_compute_algo override_linear_precision opt_level "
    "enable_fsdp_float8_all_gather pad_inner_dim",
)
_PARALLELISM_NAMES = _all_of(
    "parallelism_config",
    "dp_replicate_size dp_shard_size tp_size cp_size cp_backend cp_comm_strategy sp_size sp_backend sp_seq_length "
    "sp_seq_length_is_variable sp_attn_implementation",
)

LAUNCHER = Launcher(
    programs=(("accelerate", "launch"), ("accelerate-launch",)),
    modules=(("accelerate.commands.launch",), ("accelerate.commands.accelerate_cli", "launch")),
    options=(
        *each(counts("ranks"), 1, "--num_processes"),
        *each(counts("nodes"), 1, "--num_machines"),
        *each(_FILE, 1, "--config_file"),
        # Where and how the run starts the ranks.
        *each(left_out, 0, "--multi_gpu, --same_network, -q --quiet, --enable_cpu_affinity"),
        *each(left_out, 1, "--gpu_ids, --machine_rank, --main_process_ip, --main_process_port, --role, -t --tee"),
        *each(left_out, 1, "--log_dir, --rdzv_backend, --rdzv_conf, --max_restarts, --monitor_interval"),
        *each(left_out, 1, "--mpirun_hostfile, --mpirun_ccl"),
        # Variables for the program.
        *each(sets("ACCELERATE_MIXED_PRECISION"), 1, "--mixed_precision"),
        *each(sets("OMP_NUM_THREADS", _number), 1, "--num_cpu_threads_per_process"),
        *each(sets("ACCELERATE_USE_CPU", always("true")), 0, "--cpu"),
        *each(sets("ACCELERATE_DEBUG_MODE", always("true")), 0, "--debug"),
        *each(sets("ACCELERATE_DYNAMO_BACKEND", str.upper), 1, "--dynamo_backend"),
        *each(sets("ACCELERATE_DYNAMO_MODE"), 1, "--dynamo_mode"),
        *(Option((f"--{name}",), sets(f"ACCELERATE_{name.upper()}", always("True")), 0) for name in _DYNAMO_SWITCHES),
        *_fsdp(),
        # The program.
        *each(marks(module=True), 0, "-m --module"),
        *each(marks(python=False), 0, "--no_python"),
        # Better set in the program itself, or not available here.
        *each(_DEEPSPEED, 0, "--use_deepspeed"),
        *each(_DEEPSPEED, 1, _DEEPSPEED_NAMES),
        *each(_DEEPSPEED, 1, "--zero_stage, --gradient_accumulation_steps, --gradient_clipping, --zero3_init_flag"),
        *each(_DEEPSPEED, 1, "--zero3_save_16bit_model"),
        *each(_DEEPSPEED, 1, _OFFLOAD_NAMES),
        *each(_MEGATRON, 0, "--use_megatron_lm"),
        *each(_MEGATRON, 1, _MEGATRON_NAMES),
        *each(_FP8, 1, _FP8_NAMES),
        *each(_FP8, 0, "--fp8_use_autocast_during_eval"),
        *each(_PARALLELISM, 0, "--use_parallelism_config"),
        *each(_PARALLELISM, 1, _PARALLELISM_NAMES),
        *each(_NOT_HERE, 0, "--tpu, --tpu_cluster, --no_tpu_cluster, --tpu_use_sudo, --downcast_bf16, --use_xpu"),
        *each(_NOT_HERE, 0, "--ipex"),
        *each(_NOT_HERE, 1, "--vm, --env, --main_training_function, --aws_access_key_id, --aws_secret_access_key"),
        *each(STARTS_NOTHING, 0, "-h --help"),
    ),
    style=Style.EXACT,
    python=True,
)
